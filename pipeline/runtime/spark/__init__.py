"""Beam pipelines on Apache Spark, without a job server: a user's own cluster, by PySpark.

options   what the command line may say: `--spark_master`, `--spark_conf`, `--spark_partitions`
session   the session that exists, or one of our own
runner    `PySparkRunner`: what it refuses, and the result of a run
plan      the driver's side: stages of a pipeline as RDDs
bundle    the executors' side: a partition is a bundle
grouping  group by key, by the coder's bytes
"""

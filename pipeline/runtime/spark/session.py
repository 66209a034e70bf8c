"""The session of Spark on which pipelines run: the one that exists, or one of our own."""

import atexit
import os
import sys
import threading
from typing import Any

from configs.errors import ConfigurationError
from pipeline.runtime.spark.options import SparkOptions

_lock = threading.Lock()
_CONNECT = (
    "Spark Connect and serverless Spark offer no RDDs, which PySparkRunner needs: use a classic session "
    "(--spark_master spark://…, yarn or k8s://…; on Databricks a dedicated cluster)"
)
_OURS = {
    "spark.ui.showConsoleProgress": "false",
    "spark.python.worker.reuse": "true",
}


def spark_context(options: SparkOptions) -> Any:
    """The SparkContext to run on. Raises ConfigurationError."""
    if (options.spark_master or "").startswith("sc://") or "SPARK_REMOTE" in os.environ:
        raise ConfigurationError(_CONNECT)
    try:
        import pyspark
    except ImportError:
        raise ConfigurationError("PySparkRunner needs PySpark: pip install 'openroots[spark]'") from None
    settings = _settings(options.spark_conf)
    with _lock:
        existing = pyspark.SparkContext._active_spark_context
        if existing is None:
            if _is_connect():
                raise ConfigurationError(_CONNECT)
            return _new(options.spark_master, settings)
        _refuse_other(existing, options.spark_master, settings)
        return existing


def _settings(given: list[str]) -> dict[str, str]:
    settings = {}
    for entry in given:
        key, separator, value = entry.partition("=")
        if not separator or not key.startswith("spark."):
            raise ConfigurationError(f"--spark_conf {entry}: write it as spark.some.key=value")
        settings[key] = value
    return settings


def _is_connect() -> bool:
    """Whether there is a session of Spark Connect, as in a notebook on serverless compute."""
    module = sys.modules.get("pyspark.sql.connect.session")
    return module is not None and module.SparkSession.getActiveSession() is not None


def _new(master: str | None, settings: dict[str, str]) -> Any:
    from pyspark import SparkConf, SparkContext

    python = settings.get("spark.pyspark.python")
    if python or not os.environ.get("PYSPARK_PYTHON"):
        os.environ["PYSPARK_PYTHON"] = python or sys.executable
    conf = SparkConf().setAppName(settings.pop("spark.app.name", "openroots"))
    for key, value in {**_OURS, **settings}.items():
        conf.set(key, value)
    if master:
        conf.setMaster(master)
    try:
        context = SparkContext(conf=conf)
    except Exception as failure:
        raise ConfigurationError(f"no Spark session: {_first_line(failure)}") from failure
    context.setLogLevel("ERROR")
    _settings_of[id(context)] = (master, settings)
    atexit.register(context.stop)
    return context


_settings_of: dict[int, tuple[str | None, dict[str, str]]] = {}
"""With what each session of our own was made."""


def _refuse_other(context: Any, master: str | None, settings: dict[str, str]) -> None:
    """Settings must not be lost without a word where there is a session that does not have them."""
    settings = {key: value for key, value in settings.items() if key != "spark.app.name"}
    if _settings_of.get(id(context)) == (master, settings):
        return
    if master and master != context.master:
        raise ConfigurationError(f"there is a session on {context.master} already; leave --spark_master {master} out")
    for key, value in settings.items():
        if context.getConf().get(key) != value:
            raise ConfigurationError(f"there is a session already, which lacks {key}={value}; set it there")


def _first_line(failure: BaseException) -> str:
    java = getattr(failure, "java_exception", None)
    text = str(java.toString()) if java is not None else str(failure) or type(failure).__name__
    return text.splitlines()[0]

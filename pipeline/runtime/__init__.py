"""The engine room: stages that can be stopped and resumed, the engines that run them, and the files they write."""

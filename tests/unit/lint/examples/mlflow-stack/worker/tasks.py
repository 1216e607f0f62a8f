import os

from celery import Celery

app = Celery("tasks", broker=os.environ["QUEUE"])


@app.task
def train(name: str) -> None:
    print(name)

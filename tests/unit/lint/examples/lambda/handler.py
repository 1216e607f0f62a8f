import joblib

model = joblib.load("/opt/model.joblib")


def handle(event, context):
    return model.predict(event["rows"]).tolist()

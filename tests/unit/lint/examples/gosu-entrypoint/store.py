import faiss
import uvicorn
from fastapi import FastAPI

app = FastAPI()
index = faiss.IndexFlatL2(768)


@app.get("/health")
def health() -> dict[str, int]:
    return {"vectors": index.ntotal}


uvicorn.run(app, host="0.0.0.0", port=7700)

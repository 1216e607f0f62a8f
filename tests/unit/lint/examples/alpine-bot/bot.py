import asyncio

asyncio.run(asyncio.sleep(3600))

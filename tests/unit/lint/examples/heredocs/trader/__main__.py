import os
import time

while True:
    print(os.environ["FEED"])
    time.sleep(60)

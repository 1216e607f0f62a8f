import subprocess

subprocess.run(["tool"], check=True)

"Install the package as the notebooks' Colab cell would, but from this commit; torch must stay as it is."
import json, re, shlex, subprocess, sys, tempfile
from importlib.metadata import version
from pathlib import Path

root = Path(__file__).resolve().parents[1]
cells = json.loads((root / "nbs/00_start.ipynb").read_text(encoding="utf-8"))["cells"]
cell = next(s for s in map("".join, (c["source"] for c in cells)) if s.startswith("# Colab install"))
args, here = shlex.split(re.search(r"%pip (.*)", cell)[1]), f"git+{root.as_uri()}"
args = [re.sub(r"git\+https://[^@]+@.*", here, a) for a in args]
if not any(here in a for a in args): sys.exit(f"the Colab cell installs no repository: {' '.join(args)}")

before = {name: version(name) for name in ("torch", "torchvision")}
print("==", *args, flush=True)
subprocess.run([sys.executable, "-m", "pip", *args], check=True)
after = {name: version(name) for name in before}
if before != after: sys.exit(f"the Colab cell replaced {before} by {after}")

with tempfile.TemporaryDirectory() as away:
    for file in sorted((root / "miniai").rglob("[a-z]*.py")):
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        subprocess.run([sys.executable, "-c", f"import {module} as m; assert 'site-packages' in m.__file__"], check=True, cwd=away)
        print("   imports: " + module, flush=True)

"Metadata from settings.ini, so that each fact stands once."
from configparser import ConfigParser
from pathlib import Path
from setuptools import setup

settings = ConfigParser(delimiters=["="], interpolation=None)
settings.read("settings.ini", encoding="utf-8")
cfg = settings["DEFAULT"]
url = f"https://github.com/{cfg['user']}/{cfg['repo']}"
needs = {extra: cfg[f"{extra}_requirements"].split() for extra in ("lessons", "scale", "dev", "bench", "site")}
needs["dev"] += needs["lessons"] + needs["scale"]

setup(
    version=cfg["version"], description=cfg["description"], license_expression=cfg["license"], author=cfg["author"],
    keywords=cfg["keywords"].split(), python_requires=">=" + cfg["min_python"], url=url,
    long_description=Path("README.md").read_text(encoding="utf-8"), long_description_content_type="text/markdown",
    packages=["miniai", "miniai.exercises", "miniai.lab", "miniai.results"], package_dir={"miniai.results": "results"},
    package_data={"miniai": ["sample/*"], "miniai.lab": ["interactives/*"], "miniai.results": ["*.jsonl"]}, include_package_data=False,
    install_requires=cfg["requirements"].split(), extras_require=needs,
)

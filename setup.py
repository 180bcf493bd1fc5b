"Metadata from settings.ini, so that each fact stands once."
from configparser import ConfigParser
from pathlib import Path
from setuptools import setup

settings = ConfigParser(delimiters=["="], interpolation=None)
settings.read("settings.ini", encoding="utf-8")
cfg = settings["DEFAULT"]
url = f"https://github.com/{cfg['user']}/{cfg['repo']}"

setup(
    version=cfg["version"], description=cfg["description"], license_expression=cfg["license"], author=cfg["author"],
    keywords=cfg["keywords"].split(), python_requires=">=" + cfg["min_python"], url=url,
    long_description=Path("README.md").read_text(encoding="utf-8"), long_description_content_type="text/markdown",
    packages=["miniai"], package_data={"miniai": ["sample/*"]}, include_package_data=False,
    install_requires=cfg["requirements"].split(),
    extras_require={"dev": cfg["dev_requirements"].split(), "bench": cfg["bench_requirements"].split()},
)

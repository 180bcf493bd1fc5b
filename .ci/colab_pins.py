"Colab's list of what it has, as constraints for pip: colab_pins.py <pip-freeze.txt >constraints.txt"
import re, sys

def pin(line):
    """A constraint; of torch and torchvision from the wheel's address; None for what no index has, and for NVIDIA's
    libraries: torch of the index wants others than that of Colab."""
    wheel = re.match(r"(torch|torchvision) @ .*/\1-([\d.]+)", line)
    if wheel: return f"{wheel[1]}=={wheel[2]}"
    plain = re.match(r"(?!nvidia-|cuda|triton)([\w.-]+==[\w.]+)", line)
    return plain and plain[1]

if __name__ == "__main__":
    print("\n".join(filter(None, map(pin, sys.stdin))))

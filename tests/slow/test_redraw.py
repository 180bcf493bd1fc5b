"A slider of the schedule designer answers at once."
import time

from miniai.lab.designer import schedule_designer

def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()): yield from walk(child)

def test_a_redraw_is_quick():
    "0.2 s is the aim. Processor time, the best of 9, twice as much allowed: a busy machine must not fail it."
    hold = next(w for w in walk(schedule_designer()) if getattr(w, "description", None) == "hold")
    cpu = []
    for i in range(9):
        start = time.process_time()
        hold.value = .05 * (i + 1)
        cpu.append(time.process_time() - start)
    assert min(cpu) < .4, f"best {min(cpu):.3f} s"

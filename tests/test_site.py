"The texts that the site is made with: what they say of the lessons holds. tests/slow looks at the pages themselves."
import re, sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "site"))
import course, lesson_pages

BIBLIOGRAPHY = (ROOT / "site/references.bib").read_text(encoding="utf-8")
NOTATION = (ROOT / "site/notation.md").read_text(encoding="utf-8")
PROSE = {stem[:2]: course.prose(stem) for stem in course.LESSONS}

# -- the parts

def test_each_lesson_is_in_one_part_and_has_its_line():
    assert [n for _, _, numbers in course.PARTS for n in numbers] == [stem[:2] for stem in course.LESSONS]
    assert set(course.lesson_table()) == set(course.LESSONS)

# -- the glossary

TERMS = lesson_pages.glossary()

def test_the_glossary_is_sorted_and_says_each_term_once():
    names = [e["term"].lower() for e in TERMS]
    lines = re.findall(r"^- ", (ROOT / "site/glossary.md").read_text(encoding="utf-8"), re.M)
    assert 40 <= len(names) == len(lines) and names == sorted(set(names))

@pytest.mark.parametrize("entry", TERMS, ids=lambda e: e["term"])
def test_a_term_stands_in_its_lesson_and_is_said_in_one_sentence(entry):
    assert lesson_pages.says(entry, PROSE[entry["lesson"]])
    assert entry["says"].endswith(".") and not re.search(r"\. [A-Z]", entry["says"])

def waiting(*terms): return [dict(term=t, lesson="00", more=None, says='Says "so".') for t in terms]

def test_the_first_use_of_a_word_is_linked_and_nothing_else():
    left = waiting("heavy ball", "ball", "momentum")
    text = "# A ball\n`ball` and $ball$: a *heavy ball*, heavy balls.\n\n[ball](x) Balls."
    text = lesson_pages.link_words(text, left)
    assert text.startswith("# A ball\n`ball` and $ball$: a <a class") and text.count("<a ") == 2
    assert ">*heavy ball*</a>, heavy <a" in text and ">balls</a>.\n\n[ball](x) Balls." in text
    assert 'title="Says &quot;so&quot;."' in text and [e["term"] for e in left] == ["momentum"]

# -- the notation

ROWS = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| (\$.*) \|$", NOTATION, re.M)]
NAMES = r"\eta \mu \mu \beta \varepsilon \lambda \kappa \rho \sigma \delta".split()
GREEK = {"β₁": r"\beta_1", "β₂": r"\beta_2"} | dict(zip("ηµμβελκρσδ", NAMES))

def letters(text): return [GREEK.get(s, s) for s in re.findall(r"\$([^$]+)\$", text)]

def spoken(symbol, text):
    "Whether a text has a symbol, in a formula or as a letter of its own."
    formulas = " ".join(re.findall(r"\$\$.*?\$\$|\$[^$\n]+\$", text, re.S))
    for letter, name in GREEK.items():
        text, formulas = text.replace(letter, f" {name} "), formulas.replace(letter, f" {name} ")
    found = re.compile(rf"(?<![A-Za-z\\]){re.escape(symbol)}(?![A-Za-z])")
    return bool(found.search(formulas) or symbol.startswith("\\") and found.search(text))

@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:30])
def test_a_symbol_stands_in_the_lessons_named(row):
    symbols, lessons = letters(row[0]), re.findall(r"\d\d", row[3])
    assert symbols and lessons
    for symbol in symbols:
        missing = [n for n in lessons if not spoken(symbol, PROSE[n])]
        assert not missing, f"{symbol} is not in {', '.join(missing)}"

@pytest.mark.parametrize("number", [n for n, text in PROSE.items() if "**Letters:**" in text])
def test_the_letters_of_a_lesson_are_in_the_notation(number):
    line = re.search(r"\*\*Letters:\*\*(.*)", PROSE[number])[1]
    for letter, name in GREEK.items(): line = line.replace(f" {letter} ", f" ${name}$ ")
    known = {s for row in ROWS if number in row[3] for s in letters(row[0])} | {"g^2", "G"}
    assert set(letters(line)) <= known, set(letters(line)) - known

def test_links_to_headings_are_as_the_pages_name_them():
    text = lesson_pages.repaired("[a](#The-rules), [b](18_speed.ipynb#The-rules), [c](https://a.b/#Top)")
    assert text == "[a](#the-rules), [b](18_speed.ipynb#the-rules), [c](https://a.b/#Top)"

# -- the references

def test_no_reference_stands_twice():
    keys, urls = re.findall(r"^@misc\{(\w+),", BIBLIOGRAPHY, re.M), re.findall(r"url = \{(.*)\},$", BIBLIOGRAPHY, re.M)
    assert len(keys) == len(set(keys)) == len(urls) == len(set(urls)) > 100

@pytest.mark.parametrize("number", sorted(PROSE))
def test_each_link_under_further_reading_is_in_the_bibliography(number):
    cited = [url for url, lessons in lesson_pages.cited().items() if any(stem.startswith(number) for stem in lessons)]
    missing = [url for url in cited if f"{{{url}}}" not in BIBLIOGRAPHY]
    assert not missing, f"missing in site/references.bib: {', '.join(missing)}"

ENTRIES = {fields["url"]: fields for fields in (dict(re.findall(r"^  (\w+) = \{+(.*?)\}+,$", entry, re.M))
                                                for entry in re.split(r"^@misc", BIBLIOGRAPHY, flags=re.M)[1:])}
READ = re.compile(r"(?:^- |; |, and |, )([^;\n\[\]()]*?) \((\d{4})b?\), \[([^\]]+)" + lesson_pages.LINK.pattern, re.M)

def plain(text): return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()

@pytest.mark.parametrize("number", sorted(PROSE))
def test_a_lesson_and_the_bibliography_name_the_same_work(number):
    "The first author, the year, and the title as far as the shorter of the two goes."
    for authors, year, title, url in READ.findall(PROSE[number].partition("## Further reading")[2]):
        if (there := ENTRIES.get(url)) is None: continue                    # the test above says so
        first, titles = re.split(r",| and | et al", authors)[0], sorted((plain(title), plain(there["title"])), key=len)
        assert there["year"] == year and plain(first) in plain(there["author"]) and titles[1].startswith(titles[0]), url

def test_a_number_of_the_bibliography_stands_behind_each_link():
    url = "https://distill.pub/2017/momentum/"
    before = "See [b](https://b).\n\n## Further reading\n\n"
    text = lesson_pages.cite(f"{before}- Goh (2017), [Why]({url}): so")
    assert text == f"{before}- Goh (2017), [Why]({url}) {{cite}}`{lesson_pages.bibliography()[url]}`: so"

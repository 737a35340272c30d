"""Unicode's signs as LaTeX, for what pdflatex does not know as characters."""

from __future__ import annotations

import re
import unicodedata

SIGNS = {
    "−": "-", "±": r"\pm", "∓": r"\mp", "×": r"\times", "·": r"\cdot", "∘": r"\circ", "⊗": r"\otimes", "⊥": r"\perp",
    "≥": r"\ge", "≤": r"\le", "≠": r"\ne", "≈": r"\approx", "≡": r"\equiv", "∝": r"\propto", "→": r"\to",
    "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow", "√": r"\surd", "∞": r"\infty", "∫": r"\int",
    "∂": r"\partial", "∇": r"\nabla", "∑": r"\sum", "∏": r"\prod", "∈": r"\in", "∉": r"\notin", "∪": r"\cup",
    "∩": r"\cap", "⊂": r"\subset", "∀": r"\forall", "∃": r"\exists", "‖": r"\|", "⌈": r"\lceil", "⌉": r"\rceil",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⟨": r"\langle", "⟩": r"\rangle", "ℬ": r"\mathcal{B}", "ℓ": r"\ell",
    "°": r"^{\circ}", "′": "'", "¬": r"\neg", "µ": r"\mu",
}  # fmt: skip
WORDS = {"–": "--", "—": "---", "…": r"\ldots{}", "“": "``", "”": "''", "‘": "`", "’": "'", "\u00a0": "~"}
ACCENTS = {
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0307": "dot",
    "\u20d7": "vec",
    "\u0306": "breve",
}
GREEK = re.compile(r"GREEK (CAPITAL|SMALL) LETTER (FINAL )?(\w+)$")
LATIN_CAPITALS = {
    "alpha": "A", "beta": "B", "epsilon": "E", "zeta": "Z", "eta": "H", "iota": "I", "kappa": "K", "mu": "M",
    "nu": "N", "omicron": "O", "rho": "P", "tau": "T", "chi": "X",
}  # fmt: skip
_MARKS = "".join(ACCENTS)
NOT_ASCII = re.compile(f"([^{_MARKS}])([{_MARKS}])|([^\\x00-\\x7f])")


def typeset(text: str) -> str:
    """The text with every sign that LaTeX lacks as a character in its words; the rest is left as it is."""
    return NOT_ASCII.sub(_sign, unicodedata.normalize("NFC", text))


def _sign(match: re.Match[str]) -> str:
    base, accent, alone = match.groups()
    if accent:
        return rf"$\{ACCENTS[accent]}{{{_mathematics(base) or base}}}$"
    if alone in WORDS:
        return WORDS[alone]
    mathematics = _mathematics(alone)
    return f"${mathematics}$" if mathematics else _letter(alone)


def _mathematics(sign: str) -> str | None:
    """The sign in mathematics' mode, or None when it is none of mathematics."""
    if sign in SIGNS:
        return SIGNS[sign]
    if greek := GREEK.match(unicodedata.name(sign, "")):
        size, final, name = greek.groups()
        name = {"lamda": "lambda"}.get(name.lower(), name.lower())
        if size == "CAPITAL":
            return LATIN_CAPITALS.get(name) or rf"\{name.capitalize()}"
        return "o" if name == "omicron" else rf"\{'var' if final else ''}{name}"
    kind, _, rest = unicodedata.decomposition(sign).partition(" ")
    if kind in ("<super>", "<sub>"):
        inner = "".join(chr(int(code, 16)) for code in rest.split())
        return f"{'^' if kind == '<super>' else '_'}{{{_mathematics(inner) or inner}}}"
    if kind == "<fraction>":
        above, below = (chr(int(code, 16)) for code in rest.split(" 2044 "))
        return rf"\frac{{{above}}}{{{below}}}"
    return None


def _letter(sign: str) -> str:
    """What pdflatex takes as it is: the letters of Latin-1 and its first extension; else the sign's name."""
    return sign if "\u00a1" <= sign <= "\u017f" else f"[{unicodedata.name(sign, 'unknown').lower()}]"

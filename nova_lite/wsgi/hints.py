# SPDX-License-Identifier: Apache-2.0
"""At which other microversions what was sent would be right: the end of the sentence that refuses it.

Asked only once something is wrong, so that good requests pay nothing for it.
"""

from collections.abc import Callable, Iterable

from nova_lite.wsgi import window


def where(cuts: window.Cuts, holds: Callable[[int], bool], when: window.Window) -> window.Window:
    """The versions within ``when`` for which something holds that is the same between two cuts."""
    starts = [start for start in cuts.starts() if start >= window.BASE]
    ends = [*(start - 1 for start in starts[1:]), window.OPEN]
    spans: list[tuple[int, int]] = []
    for start, end in zip(starts, ends, strict=True):
        if not holds(start):
            continue
        for first, last in when.spans:
            span = max(first, start), min(last, end)
            if span[0] > span[1]:
                continue
            if spans and spans[-1][1] + 1 == span[0]:
                span = spans.pop()[0], span[1]
            spans.append(span)
    return window.Window(tuple(spans))


def union(windows: Iterable[window.Window]) -> window.Window:
    """All versions of several windows, as few spans as can be."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted(span for one in windows for span in one.spans):
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    return window.Window(tuple(spans))


def sentence(subject: str, there: window.Window) -> str:
    """``' SUBJECT at microversion 2.19 or later.'``, or nothing if that is never."""
    spans = tuple(span for span in there.spans if span[1] >= window.BASE)
    return f' {subject} at microversion {window.Window(spans).describe()}.' if spans else ''

"""The licence gate: expressions, policies, columns."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.models import LicencePolicy
from governance.licence_names import spdx_of
from governance.licences import EXPRESSION_CHARACTERS_MAX, LicenceGate, LicenceSyntaxError, parse_expression

CODE = frozenset({"c", "python"})
DEFAULT = LicenceGate(LicencePolicy(), CODE)


@pytest.mark.parametrize(
    ("expression", "admitted"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("GPL-2.0+", False),
        ("gpl-2.0-only", False),
        ("LGPL-2.1-only", False),
        ("AGPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT AND BSD-3-Clause) OR GPL-3.0-only", True),
        ("(MIT OR GPL-3.0-only) AND LGPL-2.1-only", False),
        ("MIT or gpl-3.0-only", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("LicenseRef-house", False),
        ("MIT OR LicenseRef-house", True),
        ("GPL-3.0-only OR LicenseRef-Commercial", False),
        ("NOASSERTION", False),
        ("CC-BY-NC-4.0", False),
        ("SSPL-1.0", False),
        ("MPL-2.0", False),
    ],
)
def test_code_enters_if_one_way_to_satisfy_its_licence_is_not_copyleft(expression, admitted):
    assert DEFAULT.judge(expression, code=True).admitted is admitted


@pytest.mark.parametrize(
    ("said", "spdx"),
    [
        ("GPLv3", "GPL-3.0-only"),
        ("gpl3", "GPL-3.0-only"),
        ("GPL", "GPL-1.0-or-later"),
        ("GNU-GPL-3.0", "GPL-3.0-only"),
        ("GNU GPL v3", "GPL-3.0-only"),
        ("GNU General Public License v2.0 or later", "GPL-2.0-or-later"),
        ("LGPLv2.1", "LGPL-2.1-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("AGPLv3", "AGPL-3.0-only"),
        ("mit", "MIT"),
        ("the MIT license", "MIT"),
        ("Apache License 2.0", "Apache-2.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("cc-by-nc-nd-3.0", "CC-BY-NC-ND-3.0"),
        ("gpl-2.0-only with classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("mit or gpl-3.0", "MIT OR GPL-3.0-only"),
        ("LicenseRef-house.1", "LicenseRef-house.1"),
        ("NOASSERTION", "NOASSERTION"),
    ],
)
def test_spellings_with_one_meaning_become_spdx(said, spdx):
    assert spdx_of(said) == spdx


@pytest.mark.parametrize("said", ["other", "unknown", "NONE", "BSD", "MIT, see file", "mit?", "-"])
def test_what_spdx_does_not_know_is_refused_by_name(said):
    verdict = DEFAULT.judge(said, code=True)
    assert not verdict.admitted and said in verdict.detail


@pytest.mark.parametrize(
    "said", ["GPLv3", "gpl3", "GPL", "LGPLv2.1", "AGPLv3", "GNU-GPL-3.0", "GNU GPL v3", "MIT/GPL-3.0"]
)
def test_copyleft_is_denied_for_code_however_it_is_written(said):
    verdict = DEFAULT.judge(said, code=True)
    assert not verdict.admitted and "denied for code" in verdict.detail


def test_a_pattern_may_use_the_former_id():
    gate = LicenceGate(LicencePolicy(deny=("GPL-2.0",)), CODE)
    assert not gate.judge("GPL-2.0-only", code=False).admitted
    assert gate.judge("GPL-2.0-or-later", code=False).admitted


def test_copyleft_prose_enters_by_default():
    assert DEFAULT.judge("GPL-3.0-or-later", code=False).admitted


def test_gate_is_not_inverted_as_in_roots():
    """ROOTS' script kept GPL-family code only; ours keeps everything but that."""
    licences = ["gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0", "mit", "apache-2.0", "bsd-3-clause"]
    assert [name for name in licences if DEFAULT.judge(name, code=True).admitted] == licences[5:]


@pytest.mark.parametrize(
    "licence",
    ["CC-BY-NC-4.0", "CC-BY-NC-SA-3.0", "CC-BY-ND-4.0", "SSPL-1.0", "NOASSERTION", "LicenseRef-mine", "BUSL-1.1"],
)
def test_prose_that_may_not_be_used_freely_or_that_nobody_knows_is_out_by_default(licence):
    assert not DEFAULT.judge(licence, code=False).admitted


def test_a_licence_of_ones_own_that_the_recipe_declares_is_known():
    gate = LicenceGate(LicencePolicy(), CODE, frozenset(["LicenseRef-mine OR MIT"]))
    assert gate.judge("LicenseRef-mine", code=True).admitted
    assert not gate.judge("LicenseRef-yours", code=True).admitted


@pytest.mark.parametrize(
    ("policy", "admitted", "reason"),
    [("drop", False, "licence_unknown"), ("review", False, "licence_review"), ("keep", True, "licence_denied")],
)
def test_what_becomes_of_unknown_licences_is_policy(policy, admitted, reason):
    verdict = LicenceGate(LicencePolicy(unknown=policy), CODE).judge("NOASSERTION", code=True)
    assert (verdict.admitted, verdict.reason) == (admitted, reason)


def test_what_is_no_spdx_id_never_passes_not_even_where_unknown_is_kept():
    assert not LicenceGate(LicencePolicy(unknown="keep"), CODE).judge("mystery", code=False).admitted


def test_a_refusal_names_licence_and_pattern():
    assert DEFAULT.judge("GPL-3.0-or-later", code=True).detail == "GPL-3.0-or-later denied for code by GPL-*"


def test_deny_wins_over_allow():
    gate = LicenceGate(LicencePolicy(allow=("CC-*",), deny=("CC-BY-NC-*",)), CODE)
    assert gate.judge("CC-BY-4.0", False).admitted
    assert gate.judge("CC-BY-NC-4.0", False).detail == "CC-BY-NC-4.0 denied by CC-BY-NC-*"


def test_an_allow_list_refuses_what_it_lacks():
    gate = LicenceGate(LicencePolicy(allow=("MIT",)), CODE)
    assert gate.judge("NOASSERTION", False).detail == "NOASSERTION is not among the allowed licences"


def test_an_exception_can_be_allowed_as_a_whole():
    gate = LicenceGate(LicencePolicy(allow=("MIT", "GPL-2.0-only WITH Classpath-*"), deny_code=()), CODE)
    assert gate.judge("GPL-2.0-only WITH Classpath-exception-2.0", True).admitted
    assert not gate.judge("GPL-2.0-only", True).admitted


@pytest.mark.parametrize(
    "expression", ["CC BY 4 0", "(MIT", "MIT AND", "()", "a/b", "MIT " * EXPRESSION_CHARACTERS_MAX]
)
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(LicenceSyntaxError):
        parse_expression(expression)
    assert not DEFAULT.judge(expression, code=False).admitted


@pytest.mark.parametrize("expression", [None, "", "  "])
def test_no_licence_is_refused(expression):
    assert DEFAULT.judge(expression, code=False).detail == "no licence is given"


ids = st.sampled_from(["MIT", "GPL-3.0-only", "LGPL-2.1-or-later", "Apache-2.0", "AGPL-3.0-only"])
trees = st.recursive(
    ids.map(lambda name: (name, not name.startswith(("GPL", "LGPL", "AGPL")))),
    lambda inner: st.tuples(inner, st.booleans(), inner).map(
        lambda t: (
            f"({t[0][0]} {'AND' if t[1] else 'OR'} {t[2][0]})",
            (t[0][1] and t[2][1]) if t[1] else (t[0][1] or t[2][1]),
        )
    ),
    max_leaves=12,
)


@given(trees)
def test_verdict_is_the_truth_of_the_formula(tree):
    expression, truth = tree
    assert DEFAULT.judge(expression, code=True).admitted is truth


@given(st.text(max_size=60))
def test_any_string_gets_a_verdict(expression):
    assert isinstance(DEFAULT.judge(expression, code=True).admitted, bool)


def test_the_gate_travels_to_workers():
    assert pickle.loads(pickle.dumps(DEFAULT)).judge("MIT", True).admitted

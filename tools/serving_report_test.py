#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/compare-serving without any model: differences, shares, targets, the table."""
import json
import unittest

import serving_report as report


def answer(**changes):
    return {"seconds": 2.0, "tokens": 100, "text": "a", "verified": True, "outcome": "ACCEPT",
            "audit_head": 0.1, "audit_blocks": 0.2, "same_prompt": True, "differences": [],
            **changes}


def results(*answers, **changes):
    return {"machine": "m", "threads": 2, "model": "base", "store_bytes": 1000, "log_bytes": 500,
            "positions": 10, "client_bytes": 40, "answers": list(answers) or [answer()],
            "at_once": {"requests": 8, "rate": 90.0, "same_texts": True},
            "rounds": [{"with": 50.0, "without": 51.0}], "transformers_rate": 30.0, **changes}


def missed(given):
    return [name for name, met in report.targets(given) if not met]


class Differences(unittest.TestCase):
    def test_name_position_tokens_and_gap(self):
        rows = [[1.0, 2.0, 0.0], [3.0, 2.5, 0.0], [0.0, 0.0, 0.0]]
        self.assertEqual(report.differences([1, 1, 2], rows, [*rows[:1], [2.9, 2.75, 0.125], *rows[2:]]),
                         [{"position": 1, "ours": 1, "theirs": 0, "gap": 0.5, "bf16": 0.25}])

    def test_an_exact_tie_is_none(self):
        self.assertEqual(report.differences([2], [[7.0, 1.0, 7.0]], [[7.0, 1.0, 7.0]]), [])


class Targets(unittest.TestCase):
    def test_are_met_by_good_results(self):
        self.assertEqual(missed(results()), [])

    def test_are_missed_one_by_one(self):
        tie = {"position": 3, "ours": 1, "theirs": 2, "gap": 1e-5, "bf16": 0.1}
        self.assertEqual(missed(results(answer(differences=[tie]))), [])
        for changes, name in [({"verified": False}, "offline"), ({"outcome": "REJECT"}, "ACCEPT"),
                              ({"same_prompt": False}, "prompts"),
                              ({"differences": [tie] * 2}, "99 %"),
                              ({"differences": [tie | {"gap": 0.5}]}, "near ties")]:
            found = missed(results(answer(**changes)))
            self.assertEqual(len(found), 1, changes)
            self.assertIn(name, found[0])
        self.assertIn("at once", missed(results(
            at_once={"requests": 8, "rate": 1.0, "same_texts": False}))[0])
        self.assertIn("3 %", missed(results(rounds=[{"with": 50.0, "without": 52.0}]))[0])
        self.assertEqual(missed(results(rounds=[])), [])


class Figures(unittest.TestCase):
    def test_shares_weigh_answers_by_their_seconds(self):
        every, tenth = report.audit_shares(results(answer(), answer(seconds=6.0)))
        self.assertAlmostEqual(every, 0.6 / 8)
        self.assertAlmostEqual(tenth, 0.24 / 8)

    def test_the_ratio_is_the_median_of_rounds(self):
        rounds = [{"with": 1.0, "without": w} for w in (1.3, 1.0, 1.1)]
        self.assertEqual(report.ratio(rounds), (1.1, 1.0, 1.3))

    def test_the_table_says_all_of_it(self):
        tie = {"position": 3, "ours": 1, "theirs": 2, "gap": 1e-5, "bf16": 0.1}
        text = report.table(results(answer(differences=[tie])))
        for part in ("99.000 %", "| tokens a second, one request at a time | 50.0 |", "1.020",
                     "100, 50", "gap of its logits 1e-05", "met: every receipt"):
            self.assertIn(part, text)
        self.assertTrue(json.loads(report.as_json(results()))["targets"])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/compare-training without any model: samples, order, questions, checks, the table."""
import json
import pathlib
import unittest

import comparison_data as data
import comparison_report as report
from comparison import Comparison
from comparison_data import IGNORED
from bench_sources import Trouble

RULES = {"format": "prompt_completion", "before_prompt": "", "before_completion": "",
         "after_completion": "\n", "bos_id": -1, "eos_id": -1, "pad_id": 0, "sequence": 12,
         "labels": "all"}


def encode(text):
    """A token a character."""
    return [ord(character) for character in text]


def row(prompt, completion):
    return {"prompt": prompt, "completion": completion}


class Samples(unittest.TestCase):
    def test_all_tokens_but_the_first_and_the_padding_count(self):
        tokens, labels = data.sample(row("abc", " X"), RULES, encode)
        self.assertEqual(tokens, encode("abc X\n") + [0] * 6)
        self.assertEqual(labels, [IGNORED] + encode("bc X\n") + [IGNORED] * 6)

    def test_only_the_answer_counts_if_the_contract_says_so(self):
        _, labels = data.sample(row("abc", " X"), {**RULES, "labels": "completion"}, encode)
        self.assertEqual(labels, [IGNORED] * 3 + encode(" X\n") + [IGNORED] * 6)

    def test_an_answer_without_a_prompt_never_counts_its_first_token(self):
        _, labels = data.sample(row("", " X"), {**RULES, "labels": "completion"}, encode)
        self.assertEqual(labels[:3], [IGNORED] + encode("X\n"))

    def test_begin_and_end_tokens_stand_around_and_long_samples_are_cut(self):
        rules = {**RULES, "bos_id": 7, "eos_id": 8, "sequence": 5, "labels": "completion"}
        self.assertEqual(data.sample(row("a", "b"), rules, encode)[0], [7, 97, 98, 10, 8])
        tokens, labels = data.sample(row("abc", "de"), rules, encode)
        self.assertEqual(tokens, [7, 97, 98, 99, 100])
        self.assertEqual(labels, [IGNORED] * 4 + [100])

    def test_a_token_that_looks_like_padding_counts(self):
        _, labels = data.sample(row("a\0b", ""), RULES, encode)
        self.assertEqual(labels[:4], [IGNORED, 0, 98, 10])


class Shortening(unittest.TestCase):
    def test_what_fits_stays_and_what_does_not_loses_words(self):
        self.assertEqual(data.shortened(row("ab cd ?", " X"), RULES, encode, " ?"),
                         row("ab cd ?", " X"))
        self.assertEqual(data.shortened(row("ab cd efgh ?", " X"), RULES, encode, " ?"),
                         row("ab cd ?", " X"))

    def test_a_row_that_cannot_fit_is_none(self):
        self.assertIsNone(data.shortened(row("abcdefghijk ?", " X"), RULES, encode, " ?"))


class Order(unittest.TestCase):
    # The table of docs/formats/dataset.md.
    SEED = bytes(range(32))

    def test_epochs_are_those_of_the_page(self):
        self.assertEqual(data.epoch_order(self.SEED, 0, 10), [1, 0, 3, 7, 2, 6, 5, 8, 9, 4])
        self.assertEqual(data.epoch_order(self.SEED, 1, 10), [9, 3, 6, 1, 7, 2, 8, 0, 4, 5])
        self.assertEqual(data.epoch_order(self.SEED, 1 << 40, 10), [3, 5, 9, 1, 7, 6, 2, 4, 0, 8])

    def contract(self, **changes):
        return {"seed": {"client_nonce": "01" * 32, "provider_nonce": "02" * 32},
                "run_id": "03" * 32, "order": {"drop_last": True, "shuffle": "sha256"},
                "data": {"rows": 10}, "batch": {"samples": 4}, "steps": 5, **changes}

    def test_an_epoch_leaves_an_incomplete_batch_out(self):
        contract = self.contract()
        seed = data.run_seed(contract)
        first, second = data.epoch_order(seed, 0, 10), data.epoch_order(seed, 1, 10)
        self.assertEqual(list(data.batch_rows(contract)),
                         [first[:4], first[4:8], second[:4], second[4:8],
                          data.epoch_order(seed, 2, 10)[:4]])

    def test_every_part_of_the_seed_matters(self):
        seeds = {data.run_seed(self.contract()), data.run_seed(self.contract(run_id="04" * 32)),
                 data.run_seed(self.contract(seed={"client_nonce": "02" * 32,
                                                   "provider_nonce": "01" * 32}))}
        self.assertEqual(len(seeds), 3)

    def test_another_order_is_refused(self):
        with self.assertRaises(ValueError):
            list(data.batch_rows(self.contract(order={"drop_last": False, "shuffle": "sha256"})))

    def test_batches_count_what_has_a_label(self):
        rows = [row(chr(97 + i) * (i + 1), " X") for i in range(4)]
        contract = {**self.contract(data={"rows": 4}, steps=1), "text": RULES}
        [batch] = data.batches(contract, rows, encode)
        self.assertEqual(sorted(batch["rows"]), [0, 1, 2, 3])
        self.assertEqual(batch["counted"], sum(i + 1 + 3 - 1 for i in range(4)))


class Questions(unittest.TestCase):
    def test_the_place_before_the_answer_is_asked(self):
        made = data.questions([row("ab", "X"), row("abc", "Y")], RULES, encode)
        self.assertEqual(made["choices"], [ord("X"), ord("Y")])
        self.assertEqual([(q["place"], q["answer"]) for q in made["samples"]],
                         [(1, ord("X")), (2, ord("Y"))])

    def test_labels_that_begin_alike_are_refused(self):
        with self.assertRaises(ValueError):
            data.questions([row("a", "Xa"), row("a", "Xb")], RULES, encode)


class FakeRun(Comparison):
    """A run that committed to `told`, and results that stand in no file."""

    def __init__(self, told=(), results=()):
        self.told, self.kept = list(told), list(results)

    def aftune(self, folder, *words):
        if words[0] == "log":
            return "\n".join(json.dumps(
                {"kind": "step", "step": i, "list": str(i)}) for i in range(len(self.told))) + "\nroot"
        return json.dumps(self.told[int(words[-1])])

    def finished(self):
        return self.kept


class Checks(unittest.TestCase):
    BATCHES = [{"rows": [3, 1], "counted": 9}, {"rows": [0, 2], "counted": 8}]

    def check(self, told):
        FakeRun(told).check_batches(pathlib.Path(), self.BATCHES)

    def test_the_runs_own_batches_pass(self):
        self.check([dict(batch, loss="x") for batch in self.BATCHES])

    def test_other_rows_another_order_another_count_and_missing_steps_do_not(self):
        first, second = self.BATCHES
        for name, told in {
                "row": [{"rows": [3, 2], "counted": 9}, second],
                "order in the batch": [{"rows": [1, 3], "counted": 9}, second],
                "count": [first, {"rows": [0, 2], "counted": 7}],
                "order of steps": [second, first]}.items():
            with self.subTest(name), self.assertRaises(Trouble):
                self.check(told)
        for told in ([first], [first, second, second]):
            with self.assertRaises(ValueError):
                self.check(told)

    def test_first_losses_must_agree(self):
        def results(loss):
            return [{"side": "x16", "seed": 1, "losses": [2.5]},
                    {"side": "fp32", "seed": 1, "losses": [loss]},
                    {"side": "fp32", "seed": 2, "losses": [9.0]}]
        FakeRun(results=results(2.501)).check_first_losses()
        for lie in (2.51, 2.49, float("nan")):
            with self.assertRaises(Trouble):
                FakeRun(results=results(lie)).check_first_losses()


class Report(unittest.TestCase):
    RESULTS = [{"side": "base", "seed": 0, "held_out": 4.0, "accuracy": 0.25}] + [
        {"side": side, "seed": seed, "losses": [3.0 + apart, 2.0 - apart], "held_out": 2.0 + apart,
         "accuracy": 0.5}
        for seed in (1, 2) for side, apart in (("fp32", 0.0), ("x16", 0.001), ("bf16", 0.1))]

    def test_distance_from_fp32_is_by_step_whatever_its_sign(self):
        for seed in report.differences(self.RESULTS, "bf16"):
            self.assertAlmostEqual(seed[0], 0.1)
            self.assertAlmostEqual(seed[1], 0.1)

    def test_a_seed_that_fp32_has_not_finished_is_not_compared(self):
        some = [r for r in self.RESULTS if (r["side"], r["seed"]) != ("fp32", 2)]
        self.assertEqual(len(report.differences(some, "bf16")), 1)

    def test_the_table_has_a_row_a_side_and_a_figure_a_seed(self):
        lines = report.table(self.RESULTS).splitlines()
        self.assertEqual(len(lines), 2 + 1 + 3)
        self.assertEqual(len({line.count("|") for line in lines}), 1)
        self.assertIn("2.1000, 2.1000", lines[-1])
        self.assertIn("1.0e-01, 1.0e-01", lines[-1])

    def test_smoothing_looks_back_only(self):
        self.assertEqual(report.smooth([1, 3])[:2], [1, 2])
        self.assertEqual(report.smooth([0] * 10 + [10])[-1], 1)


if __name__ == "__main__":
    unittest.main()

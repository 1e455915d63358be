#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The logic of tools/bench without any benchmark: parsing, ratios, verdicts, selection, the page."""
import json
import os
import types
import unittest

import bench_measures
import bench_sources
import bench_table
from bench_sources import Trouble
from bench_table import BEGIN, END, Measure, Row, judge

SPEED = Measure("product/1024", "ours", "other", 1.2)
COST = Measure("audit", "ours", "other", 1.1, "cost")


def rounds(*pairs):
    return [{"ours": ours, "other": other} for ours, other in pairs]


class Judgement(unittest.TestCase):
    def test_speed_is_the_others_time_over_ours(self):
        row = judge(SPEED, rounds((2.0, 4.0), (2.0, 5.0), (2.0, 2.0)))
        self.assertEqual((row.ratio, row.low, row.high, row.pairs), (2.0, 1.0, 2.5, 3))

    def test_cost_and_share_are_ours_over_the_others(self):
        for kind in ("cost", "share"):
            self.assertEqual(judge(Measure("m", "ours", "other", kind=kind),
                                   rounds((3.0, 2.0))).ratio, 1.5)

    def test_the_ratio_is_the_median_of_pairs_not_of_sides(self):
        row = judge(SPEED, rounds((1.0, 1.0), (10.0, 20.0), (2.0, 6.0)))
        self.assertEqual(row.ratio, 2.0)
        self.assertEqual((row.ours, row.other), (2.0, 6.0))

    def test_a_target_is_met_when_it_is_just_reached(self):
        self.assertEqual(judge(SPEED, rounds((1.0, 1.2))).verdict, "met")
        self.assertEqual(judge(COST, rounds((1.1, 1.0))).verdict, "met")

    def test_a_target_is_missed_by_what_rounding_would_hide(self):
        self.assertEqual(judge(SPEED, rounds((1.0, 1.1999999))).verdict, "missed")
        self.assertEqual(judge(COST, rounds((1.1000001, 1.0))).verdict, "missed")

    def test_a_cost_far_below_its_target_is_met_and_far_above_is_missed(self):
        self.assertEqual(judge(COST, rounds((0.1, 1.0))).verdict, "met")
        self.assertEqual(judge(COST, rounds((9.0, 1.0))).verdict, "missed")

    def test_without_a_target_nothing_is_met_or_missed(self):
        row = judge(Measure("m", "ours", "other"), rounds((1.0, 1.0)))
        self.assertEqual(row.verdict, "no target")
        self.assertIsNone(bench_table.json_object(row)["met"])

    def test_no_figure_is_made_up(self):
        self.assertIn("skipped", judge(SPEED, []).verdict)
        self.assertIn("skipped", judge(SPEED, [{"ours": 1.0}, {"other": 1.0}]).verdict)
        for pair in ((0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)):
            self.assertIn("skipped", judge(SPEED, rounds(pair)).verdict)

    def test_a_round_with_one_side_makes_no_pair(self):
        self.assertEqual(judge(SPEED, rounds((1.0, 2.0)) + [{"ours": 9.0}]).pairs, 1)

    def test_no_differing_line_meets_and_one_misses(self):
        bits = Measure("differing_bits", "ours", "other", 0, "cost", "lines")
        self.assertEqual(judge(bits, rounds((0, 90))).verdict, "met")
        self.assertEqual(judge(bits, rounds((1, 90))).verdict, "missed")


class Spelling(unittest.TestCase):
    def test_json_has_what_a_reader_needs(self):
        said = json.loads(json.dumps(bench_table.json_object(judge(SPEED, rounds((1.0, 1.5))))))
        self.assertEqual((said["measure"], said["ratio"], said["target"], said["met"]),
                         ("product/1024", 1.5, 1.2, True))

    def test_json_of_a_skipped_row_has_no_figure(self):
        said = bench_table.json_object(Row(SPEED, skipped="this machine has no amx"))
        self.assertEqual((said["ratio"], said["met"], said["skipped"]),
                         (None, None, "this machine has no amx"))

    def test_figures_have_units(self):
        self.assertEqual(bench_table.figure(0.0021, SPEED), "2.1 ms")
        self.assertEqual(bench_table.figure(3e-7, SPEED), "300 ns")
        self.assertEqual(bench_table.figure(2e9, Measure("m", "", "", unit="B/s")), "2 GB/s")
        self.assertEqual(bench_table.figure(0.02, Measure("m", "", "", flop=2e9)), "100 GFLOP/s")

    def test_a_skipped_row_says_why(self):
        line = bench_table.text_line(Row(SPEED, skipped="this machine has no amx"))
        self.assertTrue(line.endswith("at least 1.2   skipped: this machine has no amx"), line)


class Selection(unittest.TestCase):
    measures = [Measure(n, "", "") for n in ("product/1024/fp32", "product/10", "exp", "recorded")]

    def names(self, *only, **more):
        return [m.name for m in bench_table.selected(self.measures, list(only), **more)]

    def test_a_name_is_a_measure_or_all_under_it(self):
        self.assertEqual(self.names("product"), ["product/1024/fp32", "product/10"])
        self.assertEqual(self.names("product/10"), ["product/10"])
        self.assertEqual(self.names("exp", "product/1024"), ["product/1024/fp32", "exp"])

    def test_long_ones_are_left_out_unless_named_or_asked_for(self):
        self.assertNotIn("recorded", self.names(long_names={"recorded"}))
        self.assertIn("recorded", self.names(long_names={"recorded"}, all_long=True))
        self.assertEqual(self.names("recorded", long_names={"recorded"}), ["recorded"])

    def test_a_name_of_nothing_is_refused(self):
        for name in ("nothing", "prod", "product/1", ""):
            with self.assertRaises(ValueError):
                self.names(name)


class Page(unittest.TestCase):
    order = ["exp", "product/1024", "audit"]

    def page(self, page, *rows, heading="A machine.", commit="abc"):
        return bench_table.with_table(page, list(rows), heading, commit, self.order)

    def test_only_what_stands_between_the_markers_changes(self):
        page = self.page(f"before\n{BEGIN}\nold\n{END}\nafter", judge(SPEED, rounds((1.0, 1.5))))
        self.assertTrue(page.startswith(f"before\n{BEGIN}\n") and page.endswith(f"{END}\nafter"))
        self.assertNotIn("old", page)
        self.assertIn("| product/1024 | 1 s | 1.5 s | 1.500 | 1.500 to 1.500, 1 pair | at least 1.2 "
                      "| met | abc |", page)

    def test_other_rows_of_the_same_machine_stay_with_their_commit(self):
        page = self.page(f"{BEGIN}\n{END}", judge(COST, rounds((1.0, 1.0))))
        page = self.page(page, judge(SPEED, rounds((1.0, 1.0))), commit="def")
        lines = [line for line in page.splitlines() if line.startswith("| ")][1:]
        self.assertEqual([(x.split()[1], x.split()[-2]) for x in lines],
                         [("product/1024", "def"), ("audit", "abc")])

    def test_rows_of_another_machine_go(self):
        page = self.page(f"{BEGIN}\n{END}", judge(COST, rounds((1.0, 1.0))))
        page = self.page(page, judge(SPEED, rounds((1.0, 1.0))), heading="Another machine.")
        self.assertNotIn("audit", page)
        self.assertNotIn("A machine.", page)

    def test_a_page_without_both_markers_once_is_refused(self):
        for page in ("", BEGIN, END, END + BEGIN, BEGIN + BEGIN + END, BEGIN + END + END):
            with self.assertRaises(ValueError):
                self.page(page)


class Parsing(unittest.TestCase):
    def benchmarks(self, **entry):
        return json.dumps({"benchmarks": [
            {"name": "exp/avx2/1/real_time", "real_time": 250.0, "time_unit": "us", **entry}]})

    def test_benchmarks_are_read_in_seconds(self):
        self.assertEqual(bench_sources.benchmark_figures(self.benchmarks()), {"exp/avx2/1": 250e-6})
        self.assertEqual(bench_sources.benchmark_figures(self.benchmarks(time_unit="s")),
                         {"exp/avx2/1": 250.0})

    def test_a_benchmark_that_failed_is_no_figure(self):
        with self.assertRaises(Trouble):
            bench_sources.benchmark_figures(self.benchmarks(error_occurred=True,
                                                            error_message="not finite"))

    def test_the_first_steps_do_not_count(self):
        text = "".join(f'{{"seconds":"{s}","step":0}}\n' for s in (90, 80, 2.0, 4.0, 3.0))
        self.assertEqual(bench_sources.step_seconds(text), 3.0)
        with self.assertRaises(Trouble):
            bench_sources.step_seconds('{"seconds":"2.0"}\n{"seconds":"2.0"}\n')

    def verdict(self, **last):
        block = {"held": True, "rebuilt_only": False, "seconds": "1.5"}
        return json.dumps({"predicate": {"blocks": [block, {**block, **last}]}})

    def test_blocks_of_an_audit_are_added(self):
        self.assertEqual(bench_sources.audit_seconds(self.verdict(), 2), 3.0)

    def test_an_audit_that_did_something_else_is_no_figure(self):
        for text, count in ((self.verdict(held=False), 2), (self.verdict(rebuilt_only=True), 2),
                            (self.verdict(), 3)):
            with self.assertRaises(Trouble):
                bench_sources.audit_seconds(text, count)

    def test_pairs_of_recorded_runs_are_read(self):
        text = ("pair 1: plain 150.10 s, recorded 151.20 s, ratio 1.0073\n"
                "median: plain 150.1 s, recorded 151.2 s, ratio 1.0073\n")
        self.assertEqual(bench_sources.recorded_pairs(text), [(150.1, 151.2)])

    def test_differing_lines_are_counted_over_all_texts(self):
        differing = bench_sources.differing_lines
        self.assertEqual(differing(["a 1\nb 2\n"] * 3), (0, 2))
        self.assertEqual(differing(["a 1\nb 2\n", "a 1\nb 3\n", "a 1\nb 2\n"]), (1, 2))
        self.assertEqual(differing(["a 1\nb 2\n", "a 1\n"]), (1, 2))

    def test_a_program_that_fails_is_trouble_with_its_last_words(self):
        with self.assertRaisesRegex(Trouble, "bash ended with 3: disk full"):
            bench_sources.run(["bash", "-c", "echo disk full >&2; exit 3"],
                              os.sched_getaffinity(0))


def bench(isas, names=(), **lacks):
    return types.SimpleNamespace(isas=isas, kernels=types.SimpleNamespace(names=set(names)),
                                 lacks=lacks, core=[0], cores=[0, 1], pairs=5)


class Measures(unittest.TestCase):
    def lacks(self, *args, **more):
        return {k: v for g in bench_measures.all_groups(bench(*args, **more))
                for k, v in g.lacks.items()}

    def test_names_are_unique(self):
        names = [m.name for g in bench_measures.all_groups(bench(["scalar", "avx2", "avx512"]))
                 for m in g.measures]
        self.assertEqual(len(names), len(set(names)))

    def test_what_a_machine_has_not_is_skipped_by_name(self):
        lacks = self.lacks(["scalar", "avx2", "avx512"])
        self.assertEqual(lacks["product/1024/amx/fp32"], "this machine has no amx")
        self.assertIn("this build has no", lacks["product/1024/avx512/fp32"])

    def test_a_lacking_part_skips_all_that_need_it(self):
        lacks = self.lacks(["scalar"], model="no model")
        for name in ("step/fp32", "step/two_threads", "audit", "decode", "recorded"):
            self.assertEqual(lacks[name], "no model")

    def test_targets_follow_the_fastest_set(self):
        def target(isas):
            return {m.name: m.target for g in bench_measures.all_groups(bench(isas))
                    for m in g.measures}["step/fp32"]
        self.assertEqual(target(["scalar", "avx2", "avx512"]), 1.5)
        self.assertEqual(target(["scalar", "avx2", "avx512", "amx"]), 1.7)
        self.assertIsNone(target(["scalar", "avx2"]))

    def test_every_measure_has_sources_for_both_sides(self):
        """With stand-ins for the programs, each source is asked for its own keys only."""
        isas = ["scalar", "avx2", "avx512", "amx"]
        stand_in = bench(isas)
        stand_in.kernels.figures = lambda names, cores=None: {name: 1.0 for name in names}
        stand_in.torch = types.SimpleNamespace(figures=lambda asks: {key: 2.0 for key in asks})
        stand_in.training = types.SimpleNamespace(step=lambda cores: 3.0, audit=lambda cores: 4.0)
        for group in bench_measures.all_groups(stand_in):
            if group.rounds_at_once or group.measures[0].name in ("decode", "step/fp32"):
                continue  # these start programs
            for m in group.measures:
                figures = {}
                for source in group.sources:
                    figures |= source({m.ours, m.other})
                self.assertLessEqual({m.ours, m.other}, set(figures), m.name)


if __name__ == "__main__":
    unittest.main()

"""Tables of a report of `scripts/prove`, from the lines that the suites wrote: `report.py LINES REGISTRY_OF_BUGS`.

Of a suite that was played twice the last line counts; parts of one suite that are tests of their own are told apart by
their commands.
"""

import json
import re
import sys


def main(lines, registry):
    told, caught = {}, {}
    for line in map(json.loads, open(lines)):
        caught.update(line.get("caught", {}))
        if "suite" in line:
            told[line["suite"], re.sub(r"[A-Z_]+=\S+ |--(from|seeds) \d+", "", line["command"])] = line
    suites(told.values())
    bugs(caught, re.findall(r'^    [A-Z]\w+ = "([^"]+)" in "', open(registry).read(), re.M))
    print("\nTo repeat a suite with its seed:\n\n```sh")
    for line in told.values():
        print(line["command"])
    print("```")


def suites(told):
    print("| suite | rounds | seed | faults | what came of it | runs that succeeded rather than in doubt | violations "
          "| what 0 bounds | seconds |\n|---|--:|--:|---|---|---|--:|---|--:|")
    for line in told:
        print(f"| {line['suite']} | {line['rounds']} | {line['seed']} | {counts(line['faults'])} "
              f"| {counts(line['outcomes'])} | {share(line.get('runs', {}))} | {line['violations']} "
              f"| {line['bound'] or '-'} | {line['seconds']} |")


def counts(of):
    return ", ".join(f"{count:,} {what}" for what, count in of.items() if count) or "-"


def share(runs):
    succeeded, doubted = runs.get("succeeded", 0), runs.get("in_doubt", 0)
    return f"{succeeded / (succeeded + doubted):.1%} of {succeeded + doubted:,}" if succeeded + doubted else "-"


def bugs(caught, known):
    if not caught:
        return
    print(f"\n{sum(name in caught for name in known)} of {len(known)} planted bugs were caught:\n")
    print("| bug | caught by |\n|---|---|")
    for name in known:
        print(f"| `{name}` | {caught.get(name, '**not caught here**')} |")


main(*sys.argv[1:])

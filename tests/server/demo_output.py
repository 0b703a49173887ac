"""What `varve demo cluster` must have shown."""
import re

PARTITIONS = 256
COPIES = 3


def copies_by_node(text):
    """Of the first table in it: node -> its copies of partitions, and what it shall have."""
    rows = re.search(r"(?:^\d+\t(?:up|joining)\t.*\n)+", text, re.MULTILINE).group(0).splitlines()
    return {int(row.split("\t")[0]): tuple(map(int, row.split("\t")[3:5])) for row in rows}


def check(test, text, nodes):
    test.assertIn("# The end", text)
    test.assertEqual(re.findall(r", [1-9]\d* failed", text), [], text)
    test.assertGreaterEqual(text.count(", 0 failed"), 7, text)
    test.assertRegex(text, r"milk\n +bread\n|bread\n +milk\n")
    test.assertIn("GET cart\n  milk and bread\n", text)
    # The ring before: all have about as much as the others. After: so has the new one, and nothing is on its way.
    before = copies_by_node(text[text.index("$ varve cluster init"):])
    planned = copies_by_node(text[text.index("$ varve cluster join"):])
    after = copies_by_node(text[text.index("what moved:"):])
    for ring, count in ((before, nodes), (after, nodes + 1)):
        test.assertEqual(sorted(ring), list(range(1, count + 1)), text)
        test.assertEqual(sum(now for now, _ in ring.values()), PARTITIONS * COPIES)
        test.assertTrue(all(now == then for now, then in ring.values()), ring)
        fair = PARTITIONS * COPIES / count
        test.assertTrue(all(abs(now - fair) <= 1 for now, _ in ring.values()), ring)
    test.assertEqual({node: (now, after[node][0]) for node, (now, _) in before.items()} | {nodes + 1: (0, after[nodes + 1][0])}, planned)
    moved = after[nodes + 1][0]
    test.assertIn(f"\n{moved} copies of partitions are made, ", text)
    test.assertRegex(text, rf"committed: epoch \d+, {moved} partitions move")

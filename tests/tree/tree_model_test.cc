// Trees against a model: random operations on a tree of nodes in memory and on a store, compared after every
// step. A failure names its seed; VARVE_TEST_SEED=<seed> runs that one alone, VARVE_TEST_SCALE=<factor>
// multiplies the number of seeds.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "varve/tree.h"

namespace varve::test {
namespace tree_model_test {

// The order of names, spelt out: '/' right after '%', else by bytes.
struct NameOrder {
  static int Rank(char c) { return c == '/' ? 2 * '%' + 1 : 2 * static_cast<unsigned char>(c); }
  bool operator()(const std::string& a, const std::string& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return Rank(x) < Rank(y); });
  }
};

struct Node {
  std::optional<std::string> value;
  std::map<std::string, Node, NameOrder> children;

  bool IsEmpty() const { return !value && children.empty(); }
};
using Names = std::vector<std::string>;

Node* Find(Node* root, const Names& names) {
  for (const std::string& name : names) {
    const auto child = root->children.find(name);
    if (child == root->children.end()) return nullptr;
    root = &child->second;
  }
  return root;
}

// Takes away what has become empty on the way to `names`.
void Prune(Node* root, Names names) {
  for (; !names.empty(); names.pop_back()) {
    const Node* node = Find(root, names);
    if (node == nullptr) continue;
    if (!node->IsEmpty()) return;
    const std::string last = names.back();
    Find(root, Names(names.begin(), names.end() - 1))->children.erase(last);
  }
}

Node& Make(Node* root, const Names& names) {
  for (const std::string& name : names) root = &root->children[name];
  return *root;
}

std::string PathOf(const Names& names) {
  return *JoinTreePath(std::vector<std::string_view>(names.begin(), names.end()));
}

void Collect(const Node& node, const Names& names, std::map<std::string, std::string>* values) {
  if (node.value) (*values)[PathOf(names)] = *node.value;
  for (const auto& [name, child] : node.children) {
    Names below = names;
    below.push_back(name);
    Collect(child, below, values);
  }
}

// Whether `names` begins with `above`, and is longer.
bool IsWithin(const Names& names, const Names& above) {
  return names.size() > above.size() && std::equal(above.begin(), above.end(), names.begin());
}

class TreeModelRun {
 public:
  explicit TreeModelRun(uint64_t seed) : random_(seed), env_(seed) {
    opener_ = OpenerFor(RandomStoreConfig(seed));
    is_named_ = random_.OneIn(2);
    Open();
  }

  // Empty when store and model agreed.
  std::string Run(size_t step_count) {
    for (size_t i = 0; i < step_count; ++i) {
      std::string difference = Step();
      if (difference.empty()) difference = CompareWalk();
      if (!difference.empty()) return "step " + std::to_string(i) + ", " + what_ + ": " + difference;
    }
    return "";
  }

 private:
  void Open() {
    space_.reset();
    db_.reset();
    auto db = opener_("/db", &env_);
    ASSERT_OK(db);
    db_ = *std::move(db);
    if (is_named_) {
      auto space = db_->OpenNamespace("tree");
      ASSERT_OK(space);
      space_ = *space;
    }
  }
  Tree tree() { return is_named_ ? Tree(db_.get(), space_.get()) : Tree(db_.get()); }

  // Few, so that they meet; those that begin alike, with bytes around '/' behind, and the escapes.
  std::string RandomName() {
    static const std::vector<std::string> kNames = {
        "a",  "a!", "a-",  "a-1", "a-1-2", "a.",          "a0", "b", "b.c.d", "b.c",
        "/",  "%",  "a/b", "%2F", "a%",    std::string(1, '\0'), "\xff", ".", "0",    "a\xff"};
    return kNames[random_.Uniform(kNames.size())];
  }
  Names RandomPath(size_t min_depth = 1) {
    Names names(min_depth + random_.Uniform(3));
    for (std::string& name : names) name = RandomName();
    return names;
  }

  std::string Step() {
    switch (random_.Uniform(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return DoPut();
      case 4:
        return DoDelete();
      case 5:
        return DoDeleteSubtree();
      case 6:
      case 7:
        return DoRename();
      case 8:
      case 9:
        return DoChildren();
      case 10:
        return DoCount();
      default:
        return DoMaintenance();
    }
  }

  std::string DoPut() {
    const Names names = RandomPath();
    const std::string value = std::string(random_.Uniform(60), 'v') + std::to_string(++put_count_);
    what_ = "put " + PathOf(names);
    Make(&root_, names).value = value;
    return tree().Put(PathOf(names), value).ToString() == "ok" ? "" : "put failed";
  }

  std::string DoDelete() {
    const Names names = RandomPath();
    what_ = "delete " + PathOf(names);
    if (Node* node = Find(&root_, names)) node->value.reset();
    Prune(&root_, names);
    return tree().Delete(PathOf(names)).ok() ? "" : "delete failed";
  }

  std::string DoDeleteSubtree() {
    const Names names = random_.OneIn(20) ? Names() : RandomPath();
    what_ = "delete subtree " + PathOf(names);
    if (Node* node = Find(&root_, names)) *node = Node();
    Prune(&root_, names);
    return tree().DeleteSubtree(PathOf(names)).ok() ? "" : "delete failed";
  }

  StatusCode RenameModel(const Names& from, const Names& to, bool replace) {
    if (IsWithin(from, to) || IsWithin(to, from)) return StatusCode::kInvalidArgument;
    Node* source = Find(&root_, from);
    if (source == nullptr) return StatusCode::kNotFound;
    if (from == to) return StatusCode::kOk;
    if (Find(&root_, to) != nullptr && !replace) return StatusCode::kConflict;
    Node moved = std::move(*source);
    *source = Node();
    Prune(&root_, from);
    Make(&root_, to) = std::move(moved);
    return StatusCode::kOk;
  }

  std::string DoRename() {
    const Names from = RandomPath(), to = RandomPath();
    const bool replace = random_.OneIn(2);
    what_ = "rename " + PathOf(from) + " to " + PathOf(to) + (replace ? " replacing" : "");
    const StatusCode expected = RenameModel(from, to, replace);
    const Status status = tree().RenameSubtree(PathOf(from), PathOf(to), {.replace = replace});
    return status.code() == expected ? "" : status.ToString();
  }

  std::string DoChildren() {
    const Names names = RandomPath(0);
    const std::string after = random_.OneIn(2) ? std::string() : RandomName();
    const size_t limit = random_.OneIn(2) ? 1000 : random_.Uniform(5);
    what_ = "children of " + PathOf(names) + " after '" + after + "', " + std::to_string(limit);
    const auto children = tree().Children(PathOf(names), {.start_after = after, .limit = limit});
    if (!children.ok()) return children.status().ToString();
    std::string expected, got;
    for (const TreeChild& child : *children) {
      got += child.name + (child.has_value ? "=" : "") + (child.has_children ? "/ " : " ");
    }
    const Node* const node = Find(&root_, names);
    size_t count = 0;
    for (const auto& [name, child] : node != nullptr ? node->children : Node().children) {
      if ((!after.empty() && !NameOrder()(after, name)) || count == limit) continue;
      ++count;
      expected += name + (child.value ? "=" : "") + (child.children.empty() ? " " : "/ ");
    }
    return got == expected ? "" : "got " + got + "instead of " + expected;
  }

  std::string DoCount() {
    const Names names = RandomPath(0);
    what_ = "count " + PathOf(names);
    std::map<std::string, std::string> values;
    if (const Node* node = Find(&root_, names)) Collect(*node, names, &values);
    const auto count = tree().Count(PathOf(names));
    if (!count.ok()) return count.status().ToString();
    return *count == values.size() ? "" : std::to_string(*count);
  }

  std::string DoMaintenance() {
    what_ = "maintenance";
    switch (random_.Uniform(4)) {
      case 0:
        return db_->Flush().ok() ? "" : "flush failed";
      case 1:
        return db_->Compact().ok() ? "" : "compact failed";
      case 2:
        Open();
        return "";
      default:
        return "";
    }
  }

  std::string CompareWalk() {
    const Names names = random_.OneIn(2) ? Names() : RandomPath();
    std::map<std::string, std::string> expected, got;
    if (const Node* node = Find(&root_, names)) Collect(*node, names, &expected);
    const Status status = tree().Walk(PathOf(names), [&](std::string_view path, std::string_view value) {
      got[std::string(path)] = value;
      return true;
    });
    if (!status.ok()) return status.ToString();
    return got == expected ? ""
                           : "a walk of " + PathOf(names) + " shows " + std::to_string(got.size()) +
                                 " nodes instead of " + std::to_string(expected.size());
  }

  Random random_;
  CrashEnv env_;
  StoreOpener opener_;
  bool is_named_ = false;
  std::unique_ptr<Db> db_;
  std::shared_ptr<Namespace> space_;
  Node root_;
  std::string what_;
  uint64_t put_count_ = 0;
};

TEST(TreeModelTest, StoreAgreesWithModel) {
  const char* scale = std::getenv("VARVE_TEST_SCALE");
  const char* chosen = std::getenv("VARVE_TEST_SEED");
  const uint64_t seeds = static_cast<uint64_t>(12 * (scale == nullptr ? 1.0 : std::atof(scale))) + 1;
  const uint64_t first = chosen == nullptr ? 1 : std::strtoull(chosen, nullptr, 10);
  for (uint64_t seed = first; seed < first + (chosen == nullptr ? seeds : 1); ++seed) {
    EXPECT_EQ(TreeModelRun(seed).Run(400), "") << "VARVE_TEST_SEED=" << seed;
  }
}

}  // namespace tree_model_test
}  // namespace varve::test

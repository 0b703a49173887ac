// Nested keys: a shop's shelves as a tree.
#include <varve/tree.h>
#include <varve/varve.h>

#include <cstdio>
#include <string>

namespace {

int Fail(const varve::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main() {
  auto db = varve::Db::Open("data");
  if (!db.ok()) return Fail(db.status());
  varve::Tree tree(db->get());

  // Parents need not be made first. A node may have a value and children.
  for (const auto& [path, value] : {std::pair("shop/fruit", "shelf 3"),
                                    std::pair("shop/fruit/apple", "red"),
                                    std::pair("shop/fruit/pear", "green"),
                                    std::pair("shop/bread/rye", "dark")}) {
    if (varve::Status status = tree.Put(path, value); !status.ok()) return Fail(status);
  }
  // A name may hold any bytes: '/' and '%' are escaped in a path.
  const std::string path = "shop/" + varve::EscapeTreeName("jam 50/50");
  if (varve::Status status = tree.Put(path, "half sugar"); !status.ok()) return Fail(status);

  // Page by page, two children each.
  std::string last;
  for (;;) {
    const auto page = tree.Children("shop", {.start_after = last, .limit = 2});
    if (!page.ok()) return Fail(page.status());
    if (page->empty()) break;
    for (const varve::TreeChild& child : *page) {
      std::printf("%s%s%s\n", child.name.c_str(), child.has_value ? " has a value" : "",
                  child.has_children ? " has children" : "");
    }
    last = page->back().name;
  }

  // Each of these is one step for whoever reads meanwhile, and after a crash.
  if (varve::Status status = tree.RenameSubtree("shop/fruit", "cellar/fruit"); !status.ok()) {
    return Fail(status);
  }
  if (varve::Status status = tree.DeleteSubtree("shop"); !status.ok()) return Fail(status);
  const varve::Status walked = tree.Walk("", [](std::string_view node, std::string_view value) {
    std::printf("%s = %s\n", std::string(node).c_str(), std::string(value).c_str());
    return true;
  });
  if (!walked.ok()) return Fail(walked);

  // A path is the key.
  std::printf("%s\n", (*db)->At("cellar/fruit/pear").c_str());
  return 0;
}

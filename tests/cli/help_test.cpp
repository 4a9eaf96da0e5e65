// Help, manual page and completion: nothing is missing, and the files of the repository are up to date.
#include <sstream>

#include "cli/command_fixture.h"

namespace press::test {
namespace {

const std::vector<std::string> kVerbs{"inspect",  "optimize", "quantize", "prune",
                                      "evaluate", "compare",  "passes"};

class HelpTest : public CommandTest {
 protected:
  void SetUp() override {}

  std::string printed(const std::vector<std::string>& arguments) const {
    const Finished finished = run(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    return finished.out;
  }
};

/// "--sparsity" for each flag that stands at the beginning of a line of help.
std::vector<std::string> flags_of(const std::string& help) {
  std::vector<std::string> flags;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find("--");
    if (!line.starts_with("  -") || at == std::string::npos) continue;
    std::string flag = line.substr(at, line.find_first_of(" ,", at) - at);
    if (flag.starts_with("--[no-]")) flag = "--" + flag.substr(7);
    flags.push_back(flag);
  }
  return flags;
}

TEST_F(HelpTest, ListsEveryVerb) {
  const std::string help = printed({"--help"});
  for (const std::string& verb : kVerbs) EXPECT_NE(help.find("\n  " + verb), std::string::npos) << verb;
  EXPECT_EQ(printed({"-h"}), help);
  EXPECT_TRUE(printed({"--version"}).starts_with("compress "));
}

TEST_F(HelpTest, ShortHelpIsAPartOfTheFullOne) {
  for (const std::string& verb : kVerbs) {
    const std::string brief = printed({verb, "-h"});
    const std::string full = printed({verb, "--help"});
    EXPECT_TRUE(brief.starts_with("Usage: compress " + verb)) << brief;
    EXPECT_LE(flags_of(brief).size(), flags_of(full).size());
  }
  EXPECT_NE(printed({"optimize", "--help"}).find("(default: 0.5)"), std::string::npos);
}

TEST_F(HelpTest, ManualPageIsUpToDateAndNamesEveryFlag) {
  const std::string manual = printed({"generate", "manual"});
  EXPECT_EQ(text_of(PRESS_SOURCE_DIR "/docs/compress.1"), manual)
      << "run: compress generate manual > docs/compress.1";
  for (const std::string& verb : kVerbs) {
    for (const std::string& flag : flags_of(printed({verb, "--help"}))) {
      std::string escaped;
      for (const char c : flag.substr(2)) escaped += c == '-' ? std::string("\\-") : std::string(1, c);
      EXPECT_NE(manual.find(escaped), std::string::npos) << verb << " " << flag;
    }
  }
}

TEST_F(HelpTest, CompletionIsUpToDateAndKnowsEveryFlag) {
  const std::string completion = printed({"generate", "completion"});
  EXPECT_EQ(text_of(PRESS_SOURCE_DIR "/tools/completion/compress.bash"), completion)
      << "run: compress generate completion > tools/completion/compress.bash";
  for (const std::string& verb : kVerbs) {
    const std::size_t at = completion.find("    " + verb + ") flags=");
    ASSERT_NE(at, std::string::npos) << verb;
    const std::string line = completion.substr(at, completion.find('\n', at) - at);
    for (const std::string& flag : flags_of(printed({verb, "--help"}))) {
      EXPECT_NE(line.find(flag), std::string::npos) << verb << " " << flag;
    }
  }
}

TEST_F(HelpTest, ListOfPassesIsUpToDate) {
  EXPECT_NE(printed({"passes"}).find("fuse_conv_batchnorm"), std::string::npos);
  EXPECT_EQ(printed({"passes", "--markdown"}), text_of(PRESS_SOURCE_DIR "/docs/passes.md"))
      << "run: compress passes --markdown > docs/passes.md";
}

TEST_F(HelpTest, ExitCodesAreDocumented) {
  const std::string table = text_of(PRESS_SOURCE_DIR "/docs/errors.md");
  for (const char* code : {"| 0 |", "| 2 |", "| 3 |", "| 4 |", "| 5 |", "| 6 |", "| 70 |", "| 130 |"}) {
    EXPECT_NE(table.find(code), std::string::npos) << code;
  }
}

}  // namespace
}  // namespace press::test

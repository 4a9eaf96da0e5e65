// A verb of the command line: one file each, listed in verbs().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "console.h"
#include "press/support/result.h"

namespace CLI {
class App;
}

namespace press {

class Verb {
 public:
  virtual ~Verb() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;      // one line, for the list of verbs
  virtual std::string_view description() const = 0;  // what it does, for its help
  virtual std::string_view examples() const = 0;     // one a line; "" for none
  /// Adds flags and positionals; what they hold lives as long as the verb.
  virtual void declare(CLI::App& app) = 0;
  virtual Status run(Console& console) = 0;
};

std::unique_ptr<Verb> make_inspect();
std::unique_ptr<Verb> make_optimize();
std::unique_ptr<Verb> make_quantize();
std::unique_ptr<Verb> make_prune();
std::unique_ptr<Verb> make_calibrate();
std::unique_ptr<Verb> make_evaluate();
std::unique_ptr<Verb> make_compare();
std::unique_ptr<Verb> make_expand();
std::unique_ptr<Verb> make_analyze();
std::unique_ptr<Verb> make_sweep();
std::unique_ptr<Verb> make_report();
std::unique_ptr<Verb> make_passes();

/// All verbs in the order of the help text.
std::vector<std::unique_ptr<Verb>> make_verbs();

}  // namespace press

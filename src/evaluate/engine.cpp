#include "press/evaluate/engine.h"

#include "press/runtime/session.h"

namespace press {
namespace {

class NativeEngine : public Engine {
 public:
  explicit NativeEngine(Session session) : session_(std::move(session)) {}
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override { return session_.run(inputs); }
  std::optional<std::int64_t> peak_bytes() const override { return session_.peak_bytes(); }
  std::vector<StepTime> profile() const override { return session_.profile(); }

 private:
  Session session_;
};

}  // namespace

EngineFactory native_engine(const Graph& graph) {
  return [&graph, weights = make_shared_weights()](int threads) -> Result<std::unique_ptr<Engine>> {
    PRESS_ASSIGN(Session session,
                 Session::create(graph, {.threads = threads, .profile = true, .shared_weights = weights}));
    return std::unique_ptr<Engine>(std::make_unique<NativeEngine>(std::move(session)));
  };
}

}  // namespace press

// Whether a report keeps the schema that docs/schema promises.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace press::test {

/// "" where `json` keeps the schema; else where it breaks it and how.
inline std::string schema_breach(const nlohmann::json& json, const std::string& schema_name) {
  std::ifstream file(std::string(PRESS_SOURCE_DIR) + "/docs/schema/" + schema_name);
  if (!file) return "there is no docs/schema/" + schema_name;
  const auto document = nlohmann::json::parse(file);
  valijson::Schema schema;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7)
      .populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema);
  valijson::ValidationResults results;
  valijson::Validator().validate(schema, valijson::adapters::NlohmannJsonAdapter(json), &results);
  std::string breaches;
  for (const auto& error : results) {
    for (const std::string& step : error.context) breaches += step;
    breaches += ": " + error.description + "\n";
  }
  return breaches;
}

}  // namespace press::test

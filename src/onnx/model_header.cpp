#include "press/onnx/model_header.h"

#include "onnx/schema.h"
#include "onnx/wire.h"

namespace press {
namespace {

// Field numbers of ModelProto and StringStringEntryProto (onnx.proto).
constexpr std::uint32_t kProducerName = 2;
constexpr std::uint32_t kProducerVersion = 3;
constexpr std::uint32_t kDomain = 4;
constexpr std::uint32_t kModelVersion = 5;
constexpr std::uint32_t kDocString = 6;
constexpr std::uint32_t kMetadataProps = 14;
constexpr std::uint32_t kEntryKey = 1;
constexpr std::uint32_t kEntryValue = 2;

/// Calls `visit` for each field; stops at bytes that are no fields (the importer has checked them already).
template <typename Visit>
void for_each_field(wire::Bytes bytes, const Visit& visit) {
  wire::Reader reader(bytes);
  while (!reader.done()) {
    const auto field = reader.next();
    if (!field.ok()) return;
    visit(*field);
  }
}

std::pair<std::string, std::string> entry(wire::Bytes bytes) {
  std::pair<std::string, std::string> result;
  for_each_field(bytes, [&](const wire::Field& field) {
    if (field.is(kEntryKey, wire::Type::kLength)) result.first = field.text();
    if (field.is(kEntryValue, wire::Type::kLength)) result.second = field.text();
  });
  return result;
}

}  // namespace

ModelHeader model_header(const Model& model) {
  ModelHeader header;
  for_each_field(std::as_bytes(std::span(model.opaque)), [&](const wire::Field& field) {
    const bool text = field.type == wire::Type::kLength;
    if (text && field.number == kProducerName) header.producer_name = field.text();
    if (text && field.number == kProducerVersion) header.producer_version = field.text();
    if (text && field.number == kDomain) header.domain = field.text();
    if (text && field.number == kDocString) header.doc = field.text();
    if (text && field.number == kMetadataProps) header.metadata.push_back(entry(field.payload));
    if (text && field.number == schema::model::kFunctions) ++header.functions;
    if (field.is(kModelVersion, wire::Type::kVarint)) header.model_version = field.integer();
  });
  header.functions += static_cast<std::int64_t>(model.graph->functions().size());
  header.metadata.insert(header.metadata.end(), model.metadata.begin(), model.metadata.end());
  return header;
}

}  // namespace press

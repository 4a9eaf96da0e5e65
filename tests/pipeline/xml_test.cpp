#include "pipeline/xml.h"

#include <gtest/gtest.h>

namespace press {
namespace {

TEST(XmlEscaped, LeavesNothingThatAParserWouldTrip) {
  EXPECT_EQ(xml_escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
  EXPECT_EQ(xml_escaped("größe 尺"), "größe 尺");
  EXPECT_EQ(xml_escaped(std::string("a\0\x1b\xff\xc3", 5)), "a????");
}

}  // namespace
}  // namespace press

// Messages as bytes:
//
//   version 1 | kind u8 | varints: partition, epoch, request | fields of the kind, in the order of message.h
//
// Numbers are varints, hashes 8 bytes, texts behind their length, lists behind their number. Who sends and who
// receives is the transport's to say.
#ifndef VARVE_CLUSTER_MESSAGE_CODEC_H_
#define VARVE_CLUSTER_MESSAGE_CODEC_H_

#include <string>
#include <string_view>

#include "cluster/message.h"
#include "varve/status.h"

namespace varve::cluster {

std::string EncodeMessage(const Message& message);

// Without `from` and `to`. kCorruption: anything that EncodeMessage does not write; kNotSupported: a later version. Allocates
// in proportion to `bytes`. States of keys are not looked into.
Result<Message> DecodeMessage(std::string_view bytes);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_MESSAGE_CODEC_H_

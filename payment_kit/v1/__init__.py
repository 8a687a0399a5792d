"""The generated protobuf and gRPC code of proto/payment_kit/v1; never edited by hand."""

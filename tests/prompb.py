"""Remote write's messages, so that tests read with protobuf itself what we write without it."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Name, number, type; a star before the type says that it repeats, a dot that it is a message.
HISTOGRAM = {
    "count_int": (1, "uint64"),
    "sum": (3, "double"),
    "schema": (4, "sint32"),
    "zero_threshold": (5, "double"),
    "zero_count_int": (6, "uint64"),
    "negative_spans": (8, "*.BucketSpan"),
    "negative_deltas": (9, "*sint64"),
    "positive_spans": (11, "*.BucketSpan"),
    "positive_deltas": (12, "*sint64"),
    "timestamp": (15, "int64"),
    "start_timestamp": (17, "int64"),
}
SPAN = {"offset": (1, "sint32"), "length": (2, "uint32")}
VERSION_1 = {
    "WriteRequest": {"timeseries": (1, "*.TimeSeries"), "metadata": (3, "*.MetricMetadata")},
    "TimeSeries": {
        "labels": (1, "*.Label"),
        "samples": (2, "*.Sample"),
        "histograms": (4, "*.Histogram"),
    },
    "Label": {"name": (1, "string"), "value": (2, "string")},
    "Sample": {"value": (1, "double"), "timestamp": (2, "int64")},
    "MetricMetadata": {
        "type": (1, "int32"),
        "metric_family_name": (2, "string"),
        "unit": (5, "string"),
    },
    "Histogram": HISTOGRAM,
    "BucketSpan": SPAN,
}
VERSION_2 = {
    "Request": {"symbols": (4, "*string"), "timeseries": (5, "*.TimeSeries")},
    "TimeSeries": {
        "labels_refs": (1, "*uint32"),
        "samples": (2, "*.Sample"),
        "histograms": (3, "*.Histogram"),
        "metadata": (5, ".Metadata"),
    },
    "Sample": {"value": (1, "double"), "timestamp": (2, "int64"), "start_timestamp": (3, "int64")},
    "Metadata": {"type": (1, "int32"), "help_ref": (3, "uint32"), "unit_ref": (4, "uint32")},
    "Histogram": HISTOGRAM,
    "BucketSpan": SPAN,
}
FIELD = descriptor_pb2.FieldDescriptorProto


def classes(package, messages):
    """Protobuf's classes of messages that are told as tables."""
    file = descriptor_pb2.FileDescriptorProto(name=package, package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, told) in fields.items():
            many, kind = told.startswith("*"), told.removeprefix("*")
            made = message.field.add(name=field, number=number)
            made.label = FIELD.LABEL_REPEATED if many else FIELD.LABEL_OPTIONAL
            is_message = kind.startswith(".")
            made.type = FIELD.Type.Value("TYPE_MESSAGE" if is_message else f"TYPE_{kind.upper()}")
            if is_message:
                made.type_name = f".{package}{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessages([file], pool=pool)


WriteRequest = classes("tested.v1", VERSION_1)["tested.v1.WriteRequest"]
Request = classes("tested.v2", VERSION_2)["tested.v2.Request"]

"""The payload of Sparkplug B as protobuf classes, built from the field numbers of the specification (3.0, chapter 6.4).

The definition is written here and not generated: there is no file to compile, and nothing of another licence.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bool": _FIELD.TYPE_BOOL,
    "bytes": _FIELD.TYPE_BYTES,
    "double": _FIELD.TYPE_DOUBLE,
    "float": _FIELD.TYPE_FLOAT,
    "string": _FIELD.TYPE_STRING,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
}
# message -> fields as "name type number", * before a repeated type; after the bar: one of them is the value
_MESSAGES = {
    "Payload": "timestamp uint64 1, metrics *Metric 2, seq uint64 3, uuid string 4, body bytes 5",
    "Metric": "name string 1, alias uint64 2, timestamp uint64 3, datatype uint32 4, is_historical bool 5, "
    "is_transient bool 6, is_null bool 7, metadata MetaData 8, properties PropertySet 9 | "
    "int_value uint32 10, long_value uint64 11, float_value float 12, double_value double 13, boolean_value bool 14, "
    "string_value string 15, bytes_value bytes 16, dataset_value DataSet 17, template_value Template 18",
    "MetaData": "is_multi_part bool 1, content_type string 2, size uint64 3, seq uint64 4, file_name string 5, "
    "file_type string 6, md5 string 7, description string 8",
    "PropertySet": "keys *string 1, values *PropertyValue 2",
    "PropertySetList": "propertyset *PropertySet 1",
    "PropertyValue": "type uint32 1, is_null bool 2 | "
    "int_value uint32 3, long_value uint64 4, float_value float 5, double_value double 6, boolean_value bool 7, "
    "string_value string 8, propertyset_value PropertySet 9, propertysets_value PropertySetList 10",
    "DataSet": "num_of_columns uint64 1, columns *string 2, types *uint32 3, rows *Row 4",
    "Row": "elements *DataSetValue 1",
    "DataSetValue": " | int_value uint32 1, long_value uint64 2, float_value float 3, double_value double 4, "
    "boolean_value bool 5, string_value string 6",
    "Template": "version string 1, metrics *Metric 2, parameters *Parameter 3, template_ref string 4, "
    "is_definition bool 5",
    "Parameter": "name string 1, type uint32 2 | "
    "int_value uint32 3, long_value uint64 4, float_value float 5, double_value double 6, boolean_value bool 7, "
    "string_value string 8",
}
_PACKAGE = "raceway.sparkplug"


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        plain, _, values = fields.partition("|")
        for text in filter(str.strip, plain.split(",")):
            _add(message, text)
        if values:
            message.oneof_decl.add(name="value")
            for text in values.split(","):
                _add(message, text).oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


def _add(message: descriptor_pb2.DescriptorProto, text: str) -> descriptor_pb2.FieldDescriptorProto:
    name, kind, number = text.split()
    is_repeated = kind.startswith("*")
    kind = kind.removeprefix("*")
    field = message.field.add(name=name, number=int(number))
    field.label = _FIELD.LABEL_REPEATED if is_repeated else _FIELD.LABEL_OPTIONAL
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    return field


Payload = _payload_class()
"""The class of a payload: Payload.FromString(octets), payload.SerializeToString()."""

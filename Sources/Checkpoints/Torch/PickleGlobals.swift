/// The classes and functions that a pickle may mention. They are names here, never code.
enum PickleGlobals {
    /// One name for what several versions of a library call by several.
    private static let aliases: [String: String] = {
        var aliases = [
            "__builtin__.slice": "builtins.slice", "__builtin__.set": "builtins.set", "__builtin__.dict": "builtins.dict",
            "__builtin__.bytearray": "builtins.bytearray", "__builtin__.list": "builtins.list",
            "__builtin__.bytes": "builtins.bytes",
            "numpy.core.multiarray._reconstruct": "numpy._reconstruct",
            "numpy._core.multiarray._reconstruct": "numpy._reconstruct",
            "numpy.core.multiarray.scalar": "numpy.scalar", "numpy._core.multiarray.scalar": "numpy.scalar",
            "numpy.core.numeric._frombuffer": "numpy._frombuffer", "numpy._core.numeric._frombuffer": "numpy._frombuffer",
            "pandas.core.frame.DataFrame": "pandas.DataFrame", "pandas.core.indexes.base.Index": "pandas.Index",
            "pandas.core.indexes.range.RangeIndex": "pandas.RangeIndex",
            "pandas.core.indexes.base._new_Index": "pandas._new_Index",
            "pandas.core.internals.managers.BlockManager": "pandas.BlockManager",
            "pandas._libs.internals._unpickle_block": "pandas._unpickle_block",
            "pandas._libs.internals.BlockPlacement": "pandas.BlockPlacement",
            "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": "pandas._unpickle_array",
            "pandas.arrays.StringArray": "pandas.StringArray", "pandas.core.arrays.string_.StringArray": "pandas.StringArray",
            "pandas.core.arrays.string_.StringArrayNumpySemantics": "pandas.StringArray",
            "pandas.core.arrays.string_.StringDtype": "pandas.StringDtype",
            "pandas.arrays.ArrowStringArray": "pandas.ArrowStringArray",
            "pandas.core.arrays.string_arrow.ArrowStringArray": "pandas.ArrowStringArray",
            "pandas.core.arrays.string_arrow.ArrowStringArrayNumpySemantics": "pandas.ArrowStringArray",
            "torch.storage.UntypedStorage": "torch.UntypedStorage", "pandas._libs.missing.NA": "pandas.NA",
            "pandas.core.arrays.categorical.Categorical": "pandas.Categorical",
            "pandas.core.dtypes.dtypes.CategoricalDtype": "pandas.CategoricalDtype",
        ]
        // Columns whose numbers may be missing: an array, a mask, and the type that says so.
        for (module, array, types) in [
            ("integer", "IntegerArray", ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]),
            ("floating", "FloatingArray", ["Float32", "Float64"]), ("boolean", "BooleanArray", ["Boolean"]),
        ] {
            for place in ["pandas.arrays", "pandas.core.arrays.\(module)"] {
                aliases["\(place).\(array)"] = "pandas.MaskedArray"
            }
            for type in types {
                for place in ["pandas", "pandas.core.arrays.\(module)"] {
                    aliases["\(place).\(type)Dtype"] = "pandas.MaskedDtype"
                }
            }
        }
        for name in ["Int64Index", "UInt64Index", "Float64Index"] {
            aliases["pandas.core.indexes.numeric.\(name)"] = "pandas.Index"
        }
        return aliases
    }()

    /// What may be called, or made an object of.
    private static let callable: Set<String> = [
        "collections.OrderedDict", "collections.defaultdict", "_codecs.encode", "builtins.slice", "builtins.set", "builtins.dict",
        "builtins.bytearray", "builtins.bytes", "builtins.list", "torch.Size", "torch.device", "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
        "numpy._reconstruct", "numpy.scalar", "numpy._frombuffer", "numpy.dtype", "pandas.DataFrame", "pandas._new_Index",
        "pandas.BlockManager", "pandas._unpickle_block", "pandas.BlockPlacement", "pandas._unpickle_array", "pandas.StringDtype",
        "pandas.MaskedArray", "pandas.MaskedDtype", "pandas.CategoricalDtype", "pandas.ArrowStringArray",
        "pyarrow.lib.chunked_array", "pyarrow.lib._restore_array", "pyarrow.lib.type_for_alias", "pyarrow.lib.py_buffer",
    ]

    /// What may be mentioned only.
    private static let inert: Set<String> = [
        "numpy.ndarray", "pandas.Index", "pandas.RangeIndex", "pandas.StringArray", "pandas.Categorical", "pandas.NA",
        "torch.UntypedStorage",
        // A key of the callbacks that PyTorch Lightning kept in the first published checkpoints.
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    ]

    /// Calls that make dictionaries.
    static let dictionaries: Set<String> = ["collections.OrderedDict", "collections.defaultdict", "builtins.dict"]

    /// Storages of torch and the type of their numbers; nil for types that are not read here.
    static let storages: [String: ElementType?] = [
        "torch.DoubleStorage": .float64, "torch.FloatStorage": .float32, "torch.HalfStorage": .float16,
        "torch.BFloat16Storage": .bfloat16, "torch.LongStorage": .int64, "torch.IntStorage": .int32, "torch.ShortStorage": .int16,
        "torch.CharStorage": .int8, "torch.ByteStorage": .uint8, "torch.BoolStorage": .bool, "torch.ComplexFloatStorage": nil,
        "torch.ComplexDoubleStorage": nil, "torch.QInt8Storage": nil, "torch.QUInt8Storage": nil, "torch.QInt32Storage": nil,
        "torch.QUInt4x2Storage": nil, "torch.QUInt2x4Storage": nil,
    ]

    /// Types of torch's numbers by their names; nil for those that are not read here.
    static let types: [String: ElementType?] = [
        "torch.float64": .float64, "torch.float32": .float32, "torch.float16": .float16, "torch.bfloat16": .bfloat16,
        "torch.int64": .int64, "torch.int32": .int32, "torch.int16": .int16, "torch.int8": .int8, "torch.uint64": .uint64,
        "torch.uint32": .uint32, "torch.uint16": .uint16, "torch.uint8": .uint8, "torch.bool": .bool,
        "torch.float8_e4m3fn": .float8e4m3, "torch.float8_e5m2": .float8e5m2, "torch.float8_e4m3fnuz": nil,
        "torch.float8_e5m2fnuz": nil, "torch.float8_e8m0fnu": nil, "torch.complex32": nil, "torch.complex64": nil,
        "torch.complex128": nil, "torch.qint8": nil, "torch.quint8": nil, "torch.qint32": nil,
    ]

    /// The common name of a class or function of the list, or nil.
    static func known(module: String, name: String) -> String? {
        let full = "\(module).\(name)"
        let common = aliases[full] ?? full
        let isKnown =
            callable.contains(common) || inert.contains(common) || storages[common] != nil || types[common] != nil
        return isKnown ? common : nil
    }

    /// Whether a pickle may call it.
    static func isCallable(_ name: String) -> Bool { callable.contains(name) }
}

namespace Weir.Protocol.Wire;

/// <summary>One row of a message's table in docs/protocol.md.</summary>
/// <param name="Depth">0 for the message's own fields, more inside array elements.</param>
/// <param name="Name">The field.</param>
/// <param name="Type">Its type with bounds.</param>
/// <param name="Meaning">What it says.</param>
public sealed record SchemaField(int Depth, string Name, string Type, string Meaning);

/// <summary>Lists a message's fields instead of coding them.</summary>
public struct SchemaCodec(ushort version) : IWireCodec
{
    private readonly List<SchemaField> _fields = [];
    private int _depth;

    /// <summary>The fields in wire order.</summary>
    public readonly IReadOnlyList<SchemaField> Fields => _fields;

    /// <inheritdoc/>
    public readonly ushort Version => version;

    /// <summary>The fields of a message type at a version.</summary>
    public static IReadOnlyList<SchemaField> Describe<T>(ushort version)
        where T : IMessage, new()
    {
        var codec = new SchemaCodec(version);
        new T().Code(ref codec);
        return codec.Fields;
    }

    /// <inheritdoc/>
    public readonly byte UInt8(string name, byte value, string meaning) => Add(name, "u8", meaning, value);

    /// <inheritdoc/>
    public readonly bool Boolean(string name, bool value, string meaning) => Add(name, "bool", meaning, value);

    /// <inheritdoc/>
    public readonly ushort UInt16(string name, ushort value, string meaning) => Add(name, "u16", meaning, value);

    /// <inheritdoc/>
    public readonly short Int16(string name, short value, string meaning) => Add(name, "i16", meaning, value);

    /// <inheritdoc/>
    public readonly uint UInt32(string name, uint value, string meaning) => Add(name, "u32", meaning, value);

    /// <inheritdoc/>
    public readonly int Int32(string name, int value, string meaning) => Add(name, "i32", meaning, value);

    /// <inheritdoc/>
    public readonly long Int64(string name, long value, string meaning) => Add(name, "i64", meaning, value);

    /// <inheritdoc/>
    public readonly Guid Uuid(string name, Guid value, string meaning) => Add(name, "uuid", meaning, value);

    /// <inheritdoc/>
    public readonly string String(string name, string value, int maxBytes, string meaning) =>
        Add(name, $"string ≤ {maxBytes}", meaning, value);

    /// <inheritdoc/>
    public readonly string? NullableString(string name, string? value, int maxBytes, string meaning) =>
        Add(name, $"string? ≤ {maxBytes}", meaning, value);

    /// <inheritdoc/>
    public readonly byte[] Bytes(string name, byte[] value, int maxBytes, string meaning) =>
        Add(name, $"bytes ≤ {maxBytes}", meaning, value);

    /// <inheritdoc/>
    public readonly int[] Int32Array(string name, int[] value, int maxCount, string meaning) =>
        Add(name, $"array of i32, ≤ {maxCount}", meaning, value);

    /// <inheritdoc/>
    public readonly string[] StringArray(string name, string[] value, int maxCount, int maxBytes, string meaning) =>
        Add(name, $"array of string ≤ {maxBytes}, ≤ {maxCount}", meaning, value);

    /// <inheritdoc/>
    public T[] Array<T>(string name, T[] value, int maxCount, string meaning)
        where T : IMessage, new()
    {
        Add(name, $"array of, ≤ {maxCount}", meaning, value);
        _depth++;
        new T().Code(ref this);
        _depth--;
        return value;
    }

    /// <inheritdoc/>
    public readonly void BeginTags() => Add("tags", "tagged fields", "Count, then the fields below and unknown ones.", 0);

    /// <inheritdoc/>
    public readonly long? TaggedInt64(byte tag, string name, long? value, string meaning) =>
        Add(name, $"tag {tag}: i64", meaning, value);

    /// <inheritdoc/>
    public readonly string? TaggedString(byte tag, string name, string? value, int maxBytes, string meaning) =>
        Add(name, $"tag {tag}: string ≤ {maxBytes}", meaning, value);

    /// <inheritdoc/>
    public readonly Guid? TaggedUuid(byte tag, string name, Guid? value, string meaning) =>
        Add(name, $"tag {tag}: uuid", meaning, value);

    /// <inheritdoc/>
    public readonly void EndTags()
    {
    }

    /// <inheritdoc/>
    public readonly ReadOnlyMemory<byte> Payload(string name, ReadOnlyMemory<byte> value, string meaning) =>
        Add(name, "rest of the frame", meaning, value);

    private readonly T Add<T>(string name, string type, string meaning, T value)
    {
        _fields.Add(new SchemaField(_depth, name, type, meaning));
        return value;
    }
}

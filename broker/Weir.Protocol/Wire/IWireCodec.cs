namespace Weir.Protocol.Wire;

/// <summary>
/// Walks the fields of a message in wire order. A message has one <see cref="IMessage.Code"/> method; run with a
/// <see cref="WireReader"/> it decodes, with a <see cref="WireWriter"/> it encodes, with a <see cref="SchemaCodec"/> it
/// describes itself for docs/protocol.md. So the three cannot disagree.
/// </summary>
/// <remarks>
/// Each member takes the field's present value and returns the value after the walk: readers return what was on the wire,
/// writers return what they were given. <c>meaning</c> is the field's text in the documentation.
/// </remarks>
public interface IWireCodec
{
    /// <summary>The version of the message that is walked.</summary>
    ushort Version { get; }

    /// <summary>One byte.</summary>
    byte UInt8(string name, byte value, string meaning);

    /// <summary>One byte, 0 or 1.</summary>
    bool Boolean(string name, bool value, string meaning);

    /// <summary>Two bytes.</summary>
    ushort UInt16(string name, ushort value, string meaning);

    /// <summary>Two bytes, two's complement.</summary>
    short Int16(string name, short value, string meaning);

    /// <summary>Four bytes.</summary>
    uint UInt32(string name, uint value, string meaning);

    /// <summary>Four bytes, two's complement.</summary>
    int Int32(string name, int value, string meaning);

    /// <summary>Eight bytes, two's complement.</summary>
    long Int64(string name, long value, string meaning);

    /// <summary>Sixteen bytes in RFC 9562 (big-endian) order.</summary>
    Guid Uuid(string name, Guid value, string meaning);

    /// <summary>u16 count of bytes, then UTF-8.</summary>
    string String(string name, string value, int maxBytes, string meaning);

    /// <summary>As <see cref="String"/>; a count of 0xFFFF is null.</summary>
    string? NullableString(string name, string? value, int maxBytes, string meaning);

    /// <summary>u16 count, then the bytes.</summary>
    byte[] Bytes(string name, byte[] value, int maxBytes, string meaning);

    /// <summary>u32 count, then four bytes each.</summary>
    int[] Int32Array(string name, int[] value, int maxCount, string meaning);

    /// <summary>u32 count, then strings.</summary>
    string[] StringArray(string name, string[] value, int maxCount, int maxBytes, string meaning);

    /// <summary>u32 count, then the elements' fields.</summary>
    T[] Array<T>(string name, T[] value, int maxCount, string meaning)
        where T : IMessage, new();

    /// <summary>
    /// Starts the tagged fields: u8 count, then per field u8 tag (ascending), u16 count of bytes, value. An unknown tag is
    /// skipped, a missing one is the default.
    /// </summary>
    void BeginTags();

    /// <summary>A tagged i64; null is left out.</summary>
    long? TaggedInt64(byte tag, string name, long? value, string meaning);

    /// <summary>A tagged string without an inner count; null is left out.</summary>
    string? TaggedString(byte tag, string name, string? value, int maxBytes, string meaning);

    /// <summary>A tagged UUID; null is left out.</summary>
    Guid? TaggedUuid(byte tag, string name, Guid? value, string meaning);

    /// <summary>Ends the tagged fields.</summary>
    void EndTags();

    /// <summary>The rest of the frame, raw. Last in a message; borrowed from the frame's buffer when reading.</summary>
    ReadOnlyMemory<byte> Payload(string name, ReadOnlyMemory<byte> value, string meaning);
}

/// <summary>A message or a part of one.</summary>
public interface IMessage
{
    /// <summary>Walks the fields in the order of the codec's version.</summary>
    void Code<TCodec>(ref TCodec codec)
        where TCodec : IWireCodec, allows ref struct;
}

/// <summary>A request and the reply that answers it.</summary>
/// <typeparam name="TResponse">The reply's body where the request succeeded.</typeparam>
public interface IRequest<TResponse> : IMessage
    where TResponse : IMessage, new()
{
    /// <summary>The API that this request calls.</summary>
    static abstract ApiKey Key { get; }
}

/// <summary>A message that is not answered.</summary>
public interface IPush : IMessage
{
    /// <summary>The API that this message belongs to.</summary>
    static abstract ApiKey Key { get; }
}

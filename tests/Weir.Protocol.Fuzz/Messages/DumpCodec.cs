using System.Globalization;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Fuzz.Messages;

/// <summary>Lists a message's fields and values as text, so that two messages can be compared.</summary>
public readonly struct DumpCodec(ushort version) : IWireCodec
{
    private readonly List<string> _lines = [];

    public ushort Version => version;

    /// <summary>One line per field, in wire order.</summary>
    public static IReadOnlyList<string> Dump<T>(T message, ushort version)
        where T : IMessage
    {
        var codec = new DumpCodec(version);
        message.Code(ref codec);
        return codec._lines;
    }

    public byte UInt8(string name, byte value, string meaning) => Add(name, value);

    public bool Boolean(string name, bool value, string meaning) => Add(name, value);

    public ushort UInt16(string name, ushort value, string meaning) => Add(name, value);

    public short Int16(string name, short value, string meaning) => Add(name, value);

    public uint UInt32(string name, uint value, string meaning) => Add(name, value);

    public int Int32(string name, int value, string meaning) => Add(name, value);

    public long Int64(string name, long value, string meaning) => Add(name, value);

    public Guid Uuid(string name, Guid value, string meaning) => Add(name, value);

    public string String(string name, string value, int maxBytes, string meaning)
    {
        Add(name, Quote(value));
        return value;
    }

    public string? NullableString(string name, string? value, int maxBytes, string meaning)
    {
        Add(name, Quote(value));
        return value;
    }

    public byte[] Bytes(string name, byte[] value, int maxBytes, string meaning)
    {
        Add(name, Convert.ToHexStringLower(value));
        return value;
    }

    public int[] Int32Array(string name, int[] value, int maxCount, string meaning)
    {
        Add(name, $"[{string.Join(", ", value)}]");
        return value;
    }

    public string[] StringArray(string name, string[] value, int maxCount, int maxBytes, string meaning)
    {
        Add(name, $"[{string.Join(", ", value.Select(Quote))}]");
        return value;
    }

    public T[] Array<T>(string name, T[] value, int maxCount, string meaning)
        where T : IMessage, new()
    {
        Add(name, $"{value.Length} elements");
        foreach (var item in value)
        {
            var codec = this;
            item.Code(ref codec);
        }

        return value;
    }

    public void BeginTags()
    {
    }

    public long? TaggedInt64(byte tag, string name, long? value, string meaning) => Add($"tag {tag} {name}", value);

    public string? TaggedString(byte tag, string name, string? value, int maxBytes, string meaning)
    {
        Add($"tag {tag} {name}", Quote(value));
        return value;
    }

    public Guid? TaggedUuid(byte tag, string name, Guid? value, string meaning) => Add($"tag {tag} {name}", value);

    public void EndTags()
    {
    }

    public ReadOnlyMemory<byte> Payload(string name, ReadOnlyMemory<byte> value, string meaning)
    {
        Add(name, Convert.ToHexStringLower(value.Span));
        return value;
    }

    private static string Quote(string? value) => value is null ? "null" : $"\"{value}\"";

    private T Add<T>(string name, T value)
    {
        _lines.Add(string.Create(CultureInfo.InvariantCulture, $"{name} = {(value is null ? "null" : value)}"));
        return value;
    }
}

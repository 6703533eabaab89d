using Weir.Protocol.Wire;

namespace Weir.Protocol.Fuzz.Messages;

/// <summary>
/// Fills a message with fixed values of which every byte differs from its neighbours, so that a swapped field or byte order
/// shows. The golden files are made from it.
/// </summary>
/// <param name="version">Version of the message.</param>
/// <param name="hasOptional">Whether tagged fields and the payload are present.</param>
public struct SampleCodec(ushort version, bool hasOptional = true) : IWireCodec
{
    private byte _field;

    public readonly ushort Version => version;

    /// <summary>The sample of a message type.</summary>
    public static T Create<T>(ushort version, bool hasOptional = true)
        where T : IMessage, new()
    {
        var codec = new SampleCodec(version, hasOptional);
        var message = new T();
        message.Code(ref codec);
        return message;
    }

    public byte UInt8(string name, byte value, string meaning) => ++_field;

    public readonly bool Boolean(string name, bool value, string meaning) => true;

    public ushort UInt16(string name, ushort value, string meaning) => (ushort)(0x0100 + ++_field);

    public short Int16(string name, short value, string meaning) => (short)(-0x0200 + ++_field);

    /// <summary>A value that the message brings, as the hello's magic, stays.</summary>
    public uint UInt32(string name, uint value, string meaning) => value != 0 ? value : 0xA1B2C300 + ++_field;

    public int Int32(string name, int value, string meaning) => 0x01020300 + ++_field;

    public long Int64(string name, long value, string meaning) => 0x0102030405060700 + ++_field;

    public Guid Uuid(string name, Guid value, string meaning) =>
        new(0x00112233, 0x4455, 0x6677, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, ++_field);

    public string String(string name, string value, int maxBytes, string meaning) => $"{name}-é{++_field}";

    public string? NullableString(string name, string? value, int maxBytes, string meaning) =>
        ++_field % 2 == 0 ? null : $"{name}-{_field}";

    public byte[] Bytes(string name, byte[] value, int maxBytes, string meaning) => [0xB0, 0xB1, ++_field];

    public readonly int[] Int32Array(string name, int[] value, int maxCount, string meaning) => [0x0A0B0C01, 0x0A0B0C02];

    public string[] StringArray(string name, string[] value, int maxCount, int maxBytes, string meaning) =>
        [$"{name}-{++_field}", string.Empty];

    public T[] Array<T>(string name, T[] value, int maxCount, string meaning)
        where T : IMessage, new()
    {
        T[] items = [new(), new()];
        foreach (var item in items)
        {
            item.Code(ref this);
        }

        return items;
    }

    public readonly void BeginTags()
    {
    }

    public long? TaggedInt64(byte tag, string name, long? value, string meaning) =>
        hasOptional ? 0x1112131415161700 + ++_field : null;

    public string? TaggedString(byte tag, string name, string? value, int maxBytes, string meaning) =>
        hasOptional ? $"{name}-{++_field}" : null;

    public Guid? TaggedUuid(byte tag, string name, Guid? value, string meaning) =>
        hasOptional ? Uuid(name, default, meaning) : null;

    public readonly void EndTags()
    {
    }

    public readonly ReadOnlyMemory<byte> Payload(string name, ReadOnlyMemory<byte> value, string meaning) =>
        hasOptional ? new byte[] { 0xC0, 0xC1, 0xC2, 0xC3, 0xC4 } : default;
}

using System.Buffers.Binary;
using System.Text;
using Weir.Protocol.Errors;

namespace Weir.Protocol.Wire;

/// <summary>Encodes: appends fields to a <see cref="WireBuffer"/>. A value over its bound throws: cut the buffer back then.</summary>
public struct WireWriter(WireBuffer buffer, ushort version) : IWireCodec
{
    private const ushort NullLength = ushort.MaxValue;
    private int _tagCountPosition;

    /// <inheritdoc/>
    public readonly ushort Version => version;

    /// <summary>The payload, which is sent after the buffer and not copied into it.</summary>
    public ReadOnlyMemory<byte> TrailingPayload { get; private set; }

    /// <inheritdoc/>
    public readonly byte UInt8(string name, byte value, string meaning) => buffer.Append(1)[0] = value;

    /// <inheritdoc/>
    public readonly bool Boolean(string name, bool value, string meaning)
    {
        buffer.Append(1)[0] = value ? (byte)1 : (byte)0;
        return value;
    }

    /// <inheritdoc/>
    public readonly ushort UInt16(string name, ushort value, string meaning)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(buffer.Append(2), value);
        return value;
    }

    /// <inheritdoc/>
    public readonly short Int16(string name, short value, string meaning)
    {
        BinaryPrimitives.WriteInt16LittleEndian(buffer.Append(2), value);
        return value;
    }

    /// <inheritdoc/>
    public readonly uint UInt32(string name, uint value, string meaning)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.Append(4), value);
        return value;
    }

    /// <inheritdoc/>
    public readonly int Int32(string name, int value, string meaning)
    {
        BinaryPrimitives.WriteInt32LittleEndian(buffer.Append(4), value);
        return value;
    }

    /// <inheritdoc/>
    public readonly long Int64(string name, long value, string meaning)
    {
        BinaryPrimitives.WriteInt64LittleEndian(buffer.Append(8), value);
        return value;
    }

    /// <inheritdoc/>
    public readonly Guid Uuid(string name, Guid value, string meaning)
    {
        value.TryWriteBytes(buffer.Append(16), bigEndian: true, out _);
        return value;
    }

    /// <inheritdoc/>
    public readonly string String(string name, string value, int maxBytes, string meaning)
    {
        WriteText(name, value, maxBytes);
        return value;
    }

    /// <inheritdoc/>
    public readonly string? NullableString(string name, string? value, int maxBytes, string meaning)
    {
        if (value is null)
        {
            UInt16(name, NullLength, meaning);
        }
        else
        {
            WriteText(name, value, maxBytes);
        }

        return value;
    }

    /// <inheritdoc/>
    public readonly byte[] Bytes(string name, byte[] value, int maxBytes, string meaning)
    {
        CheckBound(name, value.Length, maxBytes);
        UInt16(name, (ushort)value.Length, meaning);
        value.CopyTo(buffer.Append(value.Length));
        return value;
    }

    /// <inheritdoc/>
    public readonly int[] Int32Array(string name, int[] value, int maxCount, string meaning)
    {
        CheckBound(name, value.Length, maxCount);
        Int32(name, value.Length, meaning);
        foreach (var item in value)
        {
            Int32(name, item, meaning);
        }

        return value;
    }

    /// <inheritdoc/>
    public readonly string[] StringArray(string name, string[] value, int maxCount, int maxBytes, string meaning)
    {
        CheckBound(name, value.Length, maxCount);
        Int32(name, value.Length, meaning);
        foreach (var item in value)
        {
            WriteText(name, item, maxBytes);
        }

        return value;
    }

    /// <inheritdoc/>
    public T[] Array<T>(string name, T[] value, int maxCount, string meaning)
        where T : IMessage, new()
    {
        CheckBound(name, value.Length, maxCount);
        Int32(name, value.Length, meaning);
        foreach (var item in value)
        {
            item.Code(ref this);
        }

        return value;
    }

    /// <inheritdoc/>
    public void BeginTags()
    {
        _tagCountPosition = buffer.Length;
        buffer.Append(1)[0] = 0;
    }

    /// <inheritdoc/>
    public readonly long? TaggedInt64(byte tag, string name, long? value, string meaning)
    {
        if (value is { } present)
        {
            StartTag(tag, sizeof(long));
            Int64(name, present, meaning);
        }

        return value;
    }

    /// <inheritdoc/>
    public readonly string? TaggedString(byte tag, string name, string? value, int maxBytes, string meaning)
    {
        if (value is not null)
        {
            var length = Encoding.UTF8.GetByteCount(value);
            CheckBound(name, length, maxBytes);
            StartTag(tag, length);
            Encoding.UTF8.GetBytes(value, buffer.Append(length));
        }

        return value;
    }

    /// <inheritdoc/>
    public readonly Guid? TaggedUuid(byte tag, string name, Guid? value, string meaning)
    {
        if (value is { } present)
        {
            StartTag(tag, 16);
            Uuid(name, present, meaning);
        }

        return value;
    }

    /// <inheritdoc/>
    public readonly void EndTags()
    {
    }

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> Payload(string name, ReadOnlyMemory<byte> value, string meaning)
    {
        TrailingPayload = value;
        return value;
    }

    private static void CheckBound(string name, int actual, int max)
    {
        if (actual > max)
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"{name} has {actual} of at most {max}");
        }
    }

    private readonly void StartTag(byte tag, int length)
    {
        buffer.Patch(_tagCountPosition, 1)[0]++;
        buffer.Append(1)[0] = tag;
        BinaryPrimitives.WriteUInt16LittleEndian(buffer.Append(2), (ushort)length);
    }

    private readonly void WriteText(string name, string value, int maxBytes)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        CheckBound(name, length, maxBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(buffer.Append(2), (ushort)length);
        Encoding.UTF8.GetBytes(value, buffer.Append(length));
    }
}

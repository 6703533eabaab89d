using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Weir.Protocol.Errors;

namespace Weir.Protocol.Wire;

/// <summary>
/// Decodes one body. Every count is checked against its bound and against the bytes that are left before anything is
/// allocated, so that what it allocates stays in proportion to what was received.
/// </summary>
/// <remarks>Breaking a rule throws <see cref="ProtocolException"/>, nothing else.</remarks>
public ref struct WireReader : IWireCodec
{
    private const ushort NullLength = ushort.MaxValue;
    private readonly ReadOnlyMemory<byte> _body;
    private ReadOnlySpan<byte> _rest;
    private int _tagsLeft;
    private int _lastTag;
    private int[] _lastNumbers = [];

    /// <summary>Starts at the first byte of a body; payloads are slices of <paramref name="body"/>.</summary>
    public WireReader(ReadOnlyMemory<byte> body, ushort version)
    {
        _body = body;
        _rest = body.Span;
        Version = version;
    }

    /// <inheritdoc/>
    public ushort Version { get; }

    /// <summary>Decodes a whole body and insists that no byte is left.</summary>
    public static T ReadAll<T>(ReadOnlyMemory<byte> body, ushort version)
        where T : IMessage, new()
    {
        var reader = new WireReader(body, version);
        var message = new T();
        message.Code(ref reader);
        if (!reader._rest.IsEmpty)
        {
            throw Malformed($"{typeof(T).Name} has {reader._rest.Length} bytes too many");
        }

        return message;
    }

    /// <inheritdoc/>
    public byte UInt8(string name, byte value, string meaning) => Take(name, 1)[0];

    /// <inheritdoc/>
    public bool Boolean(string name, bool value, string meaning) => Take(name, 1)[0] switch
    {
        0 => false,
        1 => true,
        var other => throw Malformed($"{name} is {other}, not 0 or 1"),
    };

    /// <inheritdoc/>
    public ushort UInt16(string name, ushort value, string meaning) =>
        BinaryPrimitives.ReadUInt16LittleEndian(Take(name, 2));

    /// <inheritdoc/>
    public short Int16(string name, short value, string meaning) =>
        BinaryPrimitives.ReadInt16LittleEndian(Take(name, 2));

    /// <inheritdoc/>
    public uint UInt32(string name, uint value, string meaning) =>
        BinaryPrimitives.ReadUInt32LittleEndian(Take(name, 4));

    /// <inheritdoc/>
    public int Int32(string name, int value, string meaning) =>
        BinaryPrimitives.ReadInt32LittleEndian(Take(name, 4));

    /// <inheritdoc/>
    public long Int64(string name, long value, string meaning) =>
        BinaryPrimitives.ReadInt64LittleEndian(Take(name, 8));

    /// <inheritdoc/>
    public Guid Uuid(string name, Guid value, string meaning) => new(Take(name, 16), bigEndian: true);

    /// <inheritdoc/>
    public string String(string name, string value, int maxBytes, string meaning) =>
        ReadText(name, UInt16(name, 0, meaning), maxBytes);

    /// <inheritdoc/>
    public string? NullableString(string name, string? value, int maxBytes, string meaning)
    {
        var length = UInt16(name, 0, meaning);
        return length == NullLength ? null : ReadText(name, length, maxBytes);
    }

    /// <inheritdoc/>
    public byte[] Bytes(string name, byte[] value, int maxBytes, string meaning)
    {
        var length = UInt16(name, 0, meaning);
        CheckBound(name, length, maxBytes);
        return Take(name, length).ToArray();
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Equal arrays that follow each other are one array: in a reply of many partitions nearly all name the same nodes.
    /// </remarks>
    public int[] Int32Array(string name, int[] value, int maxCount, string meaning)
    {
        var count = ReadCount(name, maxCount, elementBytes: sizeof(int));
        var bytes = Take(name, count * sizeof(int));
        if (HoldsLastNumbers(bytes))
        {
            return _lastNumbers;
        }

        var items = new int[count];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        }

        return _lastNumbers = items;
    }

    /// <inheritdoc/>
    public string[] StringArray(string name, string[] value, int maxCount, int maxBytes, string meaning)
    {
        var items = NewArray<string>(ReadCount(name, maxCount, elementBytes: sizeof(ushort)));
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = String(name, string.Empty, maxBytes, meaning);
        }

        return items;
    }

    /// <inheritdoc/>
    public T[] Array<T>(string name, T[] value, int maxCount, string meaning)
        where T : IMessage, new()
    {
        var items = NewArray<T>(ReadCount(name, maxCount, SmallestOf<T>.Bytes));
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = new T();
            items[i].Code(ref this);
        }

        return items;
    }

    /// <inheritdoc/>
    public void BeginTags()
    {
        _tagsLeft = Take("tagged fields", 1)[0];
        _lastTag = -1;
    }

    /// <inheritdoc/>
    public long? TaggedInt64(byte tag, string name, long? value, string meaning)
    {
        if (!TryTakeTag(tag, name, out var bytes))
        {
            return null;
        }

        return bytes.Length == sizeof(long)
            ? BinaryPrimitives.ReadInt64LittleEndian(bytes)
            : throw Malformed($"{name} has {bytes.Length} bytes, not 8");
    }

    /// <inheritdoc/>
    public string? TaggedString(byte tag, string name, string? value, int maxBytes, string meaning)
    {
        if (!TryTakeTag(tag, name, out var bytes))
        {
            return null;
        }

        CheckBound(name, bytes.Length, maxBytes);
        return Decode(name, bytes);
    }

    /// <inheritdoc/>
    public Guid? TaggedUuid(byte tag, string name, Guid? value, string meaning)
    {
        if (!TryTakeTag(tag, name, out var bytes))
        {
            return null;
        }

        return bytes.Length == 16
            ? new Guid(bytes, bigEndian: true)
            : throw Malformed($"{name} has {bytes.Length} bytes, not 16");
    }

    /// <inheritdoc/>
    public void EndTags()
    {
        while (_tagsLeft > 0)
        {
            SkipTag();
        }
    }

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> Payload(string name, ReadOnlyMemory<byte> value, string meaning)
    {
        var payload = _body[^_rest.Length..];
        _rest = default;
        return payload;
    }

    private static ProtocolException Malformed(string text) => new(ErrorCode.MalformedFrame, text);

    private static void CheckBound(string name, int actual, int max)
    {
        if (actual > max)
        {
            throw Malformed($"{name} has {actual} of at most {max}");
        }
    }

    private static string Decode(string name, ReadOnlySpan<byte> bytes) =>
        Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw Malformed($"{name} is not UTF-8");

    private ReadOnlySpan<byte> Take(string name, int count)
    {
        if (_rest.Length < count)
        {
            throw Malformed($"{name} needs {count} bytes, {_rest.Length} are left");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    private string ReadText(string name, int length, int maxBytes)
    {
        CheckBound(name, length, maxBytes);
        return Decode(name, Take(name, length));
    }

    private static T[] NewArray<T>(int count) => count == 0 ? [] : new T[count];

    private readonly bool HoldsLastNumbers(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != _lastNumbers.Length * sizeof(int))
        {
            return false;
        }

        for (var i = 0; i < _lastNumbers.Length; i++)
        {
            if (_lastNumbers[i] != BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]))
            {
                return false;
            }
        }

        return true;
    }

    private int ReadCount(string name, int maxCount, int elementBytes)
    {
        var count = UInt32(name, 0, string.Empty);
        if (count > (uint)maxCount || count > (uint)(_rest.Length / elementBytes))
        {
            throw Malformed($"{name} announces {count} elements: at most {maxCount}, and {_rest.Length} bytes are left");
        }

        return (int)count;
    }

    private bool TryTakeTag(byte tag, string name, out ReadOnlySpan<byte> bytes)
    {
        while (_tagsLeft > 0 && Peek() < tag)
        {
            SkipTag();
        }

        if (_tagsLeft == 0 || Peek() != tag)
        {
            bytes = default;
            return false;
        }

        bytes = SkipTag();
        return true;
    }

    private readonly byte Peek() =>
        _rest.IsEmpty ? throw Malformed("tagged fields are cut off") : _rest[0];

    private ReadOnlySpan<byte> SkipTag()
    {
        var tag = Take("tag", 1)[0];
        if (tag <= _lastTag)
        {
            throw Malformed($"tag {tag} comes after tag {_lastTag}");
        }

        _lastTag = tag;
        _tagsLeft--;
        return Take("tagged field", BinaryPrimitives.ReadUInt16LittleEndian(Take("tag length", 2)));
    }

    /// <summary>What an element takes at least: a new one has empty texts and arrays, so it encodes to the fewest bytes.</summary>
    private static class SmallestOf<T>
        where T : IMessage, new()
    {
        public static int Bytes { get; } = Measure();

        private static int Measure()
        {
            using var buffer = new WireBuffer();
            var writer = new WireWriter(buffer, version: 1);
            new T().Code(ref writer);
            return buffer.Length;
        }
    }
}

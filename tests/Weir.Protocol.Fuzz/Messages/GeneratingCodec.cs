using Weir.Protocol.Wire;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Messages;

/// <summary>Fills a message with random values within its bounds.</summary>
/// <param name="random">Where the values come from.</param>
/// <param name="version">Version of the message.</param>
/// <param name="isDense">
/// Many elements that are as small as can be: the most objects per byte. Otherwise a few elements of mixed sizes.
/// </param>
/// <param name="elements">About how many array elements there may be in all.</param>
public struct GeneratingCodec(SeededRandom random, ushort version, bool isDense = false, int elements = 24) : IWireCodec
{
    private const string Alphabet = "aZ0-._/ äß€漢𝄞";
    private int _elementsLeft = elements;
    private int[] _replicas = [];
    private long _firstOffset;

    public readonly ushort Version => version;

    /// <summary>A random message.</summary>
    public static T Create<T>(SeededRandom random, ushort version, bool isDense = false, int elements = 24)
        where T : IMessage, new()
    {
        var codec = new GeneratingCodec(random, version, isDense, elements);
        var message = new T();
        message.Code(ref codec);
        return message;
    }

    public readonly byte UInt8(string name, byte value, string meaning) => (byte)Number();

    public readonly bool Boolean(string name, bool value, string meaning) => random.Chance(1, 2);

    public readonly ushort UInt16(string name, ushort value, string meaning) => (ushort)Number();

    public readonly short Int16(string name, short value, string meaning) => (short)Number();

    public readonly uint UInt32(string name, uint value, string meaning) => (uint)Number();

    public readonly int Int32(string name, int value, string meaning) => (int)Number();

    public long Int64(string name, long value, string meaning)
    {
        var number = Number();
        _firstOffset = name == "firstOffset" ? number : _firstOffset;
        return name == "lastOffset" ? Math.Max(_firstOffset, number) : number;
    }

    public readonly Guid Uuid(string name, Guid value, string meaning)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        return new Guid(bytes, bigEndian: true);
    }

    public readonly string String(string name, string value, int maxBytes, string meaning) => Text(maxBytes);

    public readonly string? NullableString(string name, string? value, int maxBytes, string meaning) =>
        random.Chance(1, 4) ? null : Text(maxBytes);

    public readonly byte[] Bytes(string name, byte[] value, int maxBytes, string meaning)
    {
        var bytes = new byte[random.Next(isDense ? 2 : Math.Min(maxBytes, 64) + 1)];
        random.NextBytes(bytes);
        return bytes;
    }

    public int[] Int32Array(string name, int[] value, int maxCount, string meaning)
    {
        if (name == "isr")
        {
            return _replicas[..random.Next(_replicas.Length + 1)];
        }

        var items = new int[isDense ? 1 : random.Next(Math.Min(maxCount, 5) + 1)];
        foreach (ref var item in items.AsSpan())
        {
            item = (int)Number();
        }

        return _replicas = items;
    }

    public string[] StringArray(string name, string[] value, int maxCount, int maxBytes, string meaning)
    {
        var items = new string[Count(maxCount)];
        foreach (ref var item in items.AsSpan())
        {
            item = Text(maxBytes);
        }

        return items;
    }

    public T[] Array<T>(string name, T[] value, int maxCount, string meaning)
        where T : IMessage, new()
    {
        var items = new T[Count(maxCount)];
        foreach (ref var item in items.AsSpan())
        {
            item = new T();
            item.Code(ref this);
        }

        return items;
    }

    public readonly void BeginTags()
    {
    }

    public readonly long? TaggedInt64(byte tag, string name, long? value, string meaning) =>
        random.Chance(1, 2) ? null : Number();

    public readonly string? TaggedString(byte tag, string name, string? value, int maxBytes, string meaning) =>
        random.Chance(1, 2) ? null : Text(maxBytes);

    public readonly Guid? TaggedUuid(byte tag, string name, Guid? value, string meaning) =>
        random.Chance(1, 2) ? null : Uuid(name, default, meaning);

    public readonly void EndTags()
    {
    }

    public readonly ReadOnlyMemory<byte> Payload(string name, ReadOnlyMemory<byte> value, string meaning)
    {
        var bytes = new byte[random.Next(200)];
        random.NextBytes(bytes);
        return bytes;
    }

    private int Count(int maxCount)
    {
        var most = Math.Min(maxCount, isDense ? _elementsLeft : Math.Min(_elementsLeft, 4));
        var count = isDense && random.Chance(1, 2) ? most : random.Next(most + 1);
        _elementsLeft -= count;
        return count;
    }

    /// <summary>All widths alike, and the edges of each.</summary>
    private readonly long Number() => random.Next(4) switch
    {
        0 => random.Next(3) - 1,
        1 => (long)random.NextUInt64() >> random.Next(64),
        2 => (1L << random.Next(64)) - random.Next(2),
        _ => (long)random.NextUInt64(),
    };

    private readonly string Text(int maxBytes)
    {
        if (isDense)
        {
            return random.Chance(1, 2) ? string.Empty : ((char)('a' + random.Next(26))).ToString();
        }

        // Four bytes of UTF-8 per UTF-16 unit at most; sometimes the bound to the byte, in ASCII.
        if (random.Chance(1, 16))
        {
            return new string('x', maxBytes);
        }

        var text = new System.Text.StringBuilder();
        for (var left = random.Next(Math.Min(maxBytes / 4, 12) + 1); left > 0; left--)
        {
            var position = random.Next(Alphabet.Length - 1);
            text.Append(char.IsSurrogate(Alphabet[position]) ? "𝄞" : Alphabet[position].ToString());
        }

        return text.ToString();
    }
}

using System.Text;
using Weir.Protocol.Records;

namespace Weir.Groups.Queue;

/// <summary>The parts of a record, copied out of its fields.</summary>
/// <param name="Key">The key; null for none.</param>
/// <param name="Value">The value; null for a tombstone.</param>
/// <param name="Headers">Its headers.</param>
internal sealed record RecordFields(
    ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value, IReadOnlyList<RecordHeader> Headers)
{
    private const int MaxPrefix = 6;

    /// <summary>Writes a record as it stands in a batch, with a timestamp that is its base.</summary>
    /// <param name="fields">Its fields from the key on.</param>
    /// <param name="target">Takes at most <see cref="EncodedBound"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Encode(ReadOnlySpan<byte> fields, Span<byte> target)
    {
        var position = 0;
        for (var length = (uint)fields.Length + 1; ; length >>= 7)
        {
            target[position++] = (byte)(length >= 0x80 ? length | 0x80 : length);
            if (length < 0x80)
            {
                break;
            }
        }

        target[position++] = 0;
        fields.CopyTo(target[position..]);
        return position + fields.Length;
    }

    /// <summary>Most bytes of an encoded record.</summary>
    public static int EncodedBound(int fieldsLength) => fieldsLength + MaxPrefix;

    /// <summary>Reads the parts.</summary>
    public static RecordFields Read(ReadOnlySpan<byte> fields)
    {
        var encoded = new byte[EncodedBound(fields.Length)];
        encoded = encoded[..Encode(fields, encoded)];
        var slices = RecordReader.Read(encoded, 0, baseTimestampMs: 0);
        var headers = new List<RecordHeader>(slices.HeaderCount);
        var position = slices.HeadersStart;
        for (var i = 0; i < slices.HeaderCount; i++)
        {
            var header = RecordReader.ReadHeader(encoded, position, slices.End);
            headers.Add(new RecordHeader(
                Encoding.UTF8.GetString(encoded, header.NameStart, header.NameLength),
                header.ValueLength < 0 ? null : encoded.AsMemory(header.ValueStart, header.ValueLength)));
            position = header.End;
        }

        return new RecordFields(
            slices.KeyLength < 0 ? null : encoded.AsMemory(slices.KeyStart, slices.KeyLength),
            slices.ValueLength < 0 ? null : encoded.AsMemory(slices.ValueStart, slices.ValueLength), headers);
    }
}

using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Weir.Protocol.Records;

namespace Weir.Client;

/// <summary>A record of a dead-letter topic: what a queue or keyed group gave up, and why.</summary>
public sealed class DeadLetter
{
    private const string Prefix = "weir-dead-letter-";
    private readonly IReadOnlyList<RecordHeader> _headers;
    private readonly string _position;

    private DeadLetter(IReadOnlyList<RecordHeader> headers, string position, ReadOnlyMemory<byte>? key, ReadOnlyMemory<byte>? value)
    {
        _headers = headers;
        _position = position;
        Key = key;
        Value = value;
        Group = Text(WellKnownHeaders.DeadLetterGroup) ?? string.Empty;
        Reason = Text(WellKnownHeaders.DeadLetterReason) ?? string.Empty;
        Topic = Text(WellKnownHeaders.DeadLetterTopic) ?? string.Empty;
        Partition = (int)(Number(WellKnownHeaders.DeadLetterPartition) ?? -1);
        Offset = Number(WellKnownHeaders.DeadLetterOffset) ?? -1;
        Deliveries = (int)(Number(WellKnownHeaders.DeadLetterDeliveries) ?? 0);
    }

    /// <summary>The group that gave it up.</summary>
    public string Group { get; }

    /// <summary>Why.</summary>
    public string Reason { get; }

    /// <summary>The topic that it comes from.</summary>
    public string Topic { get; }

    /// <summary>The partition that it comes from.</summary>
    public int Partition { get; }

    /// <summary>The offset that it had there.</summary>
    public long Offset { get; }

    /// <summary>How often it was delivered in vain.</summary>
    public int Deliveries { get; }

    /// <summary>The key; null if it has none.</summary>
    public ReadOnlyMemory<byte>? Key { get; }

    /// <summary>The value; null if it has none.</summary>
    public ReadOnlyMemory<byte>? Value { get; }

    /// <summary>Reads a record of a dead-letter topic; false if it is none that a group gave up.</summary>
    public static bool TryRead(in ConsumedRecord record, [NotNullWhen(true)] out DeadLetter? letter) => TryRead(
        record.Headers, $"{record.Topic}/{record.Partition}/{record.Offset}", record.Key, record.Value, out letter);

    /// <summary>Reads a delivery of a dead-letter topic; false if it is none that a group gave up.</summary>
    public static bool TryRead(Delivery delivery, [NotNullWhen(true)] out DeadLetter? letter) => TryRead(
        delivery.Headers, $"{delivery.Topic}/{delivery.Partition}/{delivery.Offset}", delivery.Key, delivery.Value, out letter);

    /// <summary>
    /// The record as it was before it became a dead letter, to be published again: key, value and headers of its own, and the
    /// header <see cref="WellKnownHeaders.ReplayedFrom"/>.
    /// </summary>
    public OutgoingRecord ToReplay() => new()
    {
        Key = Key,
        Value = Value,
        Headers =
        [
            .. _headers.Where(static header =>
                !header.Name.StartsWith(Prefix, StringComparison.Ordinal)
                && header.Name is not (WellKnownHeaders.ReplayedFrom or WellKnownHeaders.DeliverAt)),
            new RecordHeader(WellKnownHeaders.ReplayedFrom, Encoding.UTF8.GetBytes(_position)),
        ],
    };

    private static bool TryRead(
        IReadOnlyList<RecordHeader> headers, string position, ReadOnlyMemory<byte>? key, ReadOnlyMemory<byte>? value,
        [NotNullWhen(true)] out DeadLetter? letter)
    {
        letter = new DeadLetter(headers, position, key, value);
        if (letter.Group.Length == 0 || letter.Topic.Length == 0)
        {
            letter = null;
        }

        return letter is not null;
    }

    private ReadOnlyMemory<byte>? Find(string name) => _headers.FirstOrDefault(header => header.Name == name).Value;

    private string? Text(string name) => Find(name) is { } value ? Encoding.UTF8.GetString(value.Span) : null;

    private long? Number(string name) =>
        Find(name) is { Length: sizeof(long) } value ? BinaryPrimitives.ReadInt64LittleEndian(value.Span) : null;
}

using System.Buffers.Binary;
using System.Text;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;

namespace Weir.Client;

/// <summary>A record to be published. Its memory is copied before the call that takes it completes.</summary>
public readonly struct OutgoingRecord
{
    /// <summary>The key, or null for none; null and empty differ.</summary>
    public ReadOnlyMemory<byte>? Key { get; init; }

    /// <summary>The value, or null for none (a tombstone on an entity topic); null and empty differ.</summary>
    public ReadOnlyMemory<byte>? Value { get; init; }

    /// <summary>Headers, at most <see cref="RecordReader.MaxHeaders"/>; null for none.</summary>
    public IReadOnlyList<RecordHeader>? Headers { get; init; }

    /// <summary>When the event happened, kept in milliseconds; null for now.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>The partition; null chooses by the key, or in turn if there is none.</summary>
    public int? Partition { get; init; }

    /// <summary>
    /// Queue and keyed groups deliver it no earlier, in milliseconds; null for at once. Other readers read it at once. Travels
    /// as the header <see cref="WellKnownHeaders.DeliverAt"/>.
    /// </summary>
    public DateTimeOffset? DeliverAt { get; init; }

    /// <summary>The headers as they travel.</summary>
    internal IReadOnlyList<RecordHeader>? AllHeaders
    {
        get
        {
            if (DeliverAt is not { } time)
            {
                return Headers;
            }

            var value = new byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(value, time.ToUnixTimeMilliseconds());
            return [.. Headers ?? [], new RecordHeader(WellKnownHeaders.DeliverAt, value)];
        }
    }
}

/// <summary>Where a record is, and what its acknowledgement stands for.</summary>
/// <param name="Partition">Its partition.</param>
/// <param name="Offset">Its offset; -1 with <see cref="Acks.None"/>, where nobody says.</param>
/// <param name="AppendTime">When the leader appended it; the default with <see cref="Acks.None"/>.</param>
/// <param name="Durability">What is certain now; 0 with <see cref="Acks.None"/>.</param>
/// <param name="Duplicate">Whether a retry met the record already there.</param>
public readonly record struct SendResult(
    int Partition, long Offset, DateTimeOffset AppendTime, Durability Durability, bool Duplicate);

/// <summary>Posted records that failed for good.</summary>
/// <param name="Topic">Their topic.</param>
/// <param name="Partition">Their partition.</param>
/// <param name="RecordCount">How many.</param>
/// <param name="Error">
/// Why. <see cref="Protocol.Errors.ErrorCode.RequestTimedOut"/> and
/// <see cref="Protocol.Errors.ErrorCode.ConnectionLost"/> leave open whether they are in the log.
/// </param>
public sealed record DeliveryFailure(string Topic, int Partition, int RecordCount, WeirException Error);

/// <summary>How a producer batches, waits and retries. Checked by <c>CreateProducer</c>; not read afterwards.</summary>
public sealed class ProducerOptions
{
    /// <summary>What an acknowledgement waits for. Default <see cref="Acks.All"/>: the topic's durability.</summary>
    public Acks Acks { get; set; } = Acks.All;

    /// <summary>How batches are compressed, where that makes them smaller. Default: not.</summary>
    public CompressionType Compression { get; set; } = CompressionType.None;

    /// <summary>
    /// How long a batch that is not full waits for more records. Default 5 ms; 0 to 1 min. With 0 a record leaves on the
    /// caller's thread at once; while five batches of its partition are unanswered, records gather for the next.
    /// </summary>
    public TimeSpan Linger { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// Bytes at which a batch is closed, before compression. Default 256 KiB; 1 KiB to 16 MiB, and never over the topic's
    /// <c>max.batch.bytes</c>. A record that is larger travels in a batch of its own.
    /// </summary>
    public int BatchBytes { get; set; } = 256 * 1024;

    /// <summary>Most bytes of records without an outcome; over it senders wait. Default 32 MiB; 64 KiB to 1 GiB.</summary>
    public int BufferBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>
    /// Who publishes, for topics with the setting <c>writer</c>, which take records of that one alone. Default null: nobody in
    /// particular. At most 255 bytes in UTF-8. It is a name, not a proof.
    /// </summary>
    public string? Writer { get; set; }

    /// <summary>
    /// Longest time from the call to the outcome of a record, waiting and retries included. Default 2 min; 100 ms to 1 h.
    /// </summary>
    public TimeSpan DeliveryTimeout { get; set; } = TimeSpan.FromMinutes(2);

    internal ProducerOptions CheckedCopy()
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((byte)Acks, (byte)Acks.All, nameof(Acks));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((byte)Compression, (byte)CompressionType.Zstd, nameof(Compression));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            Encoding.UTF8.GetByteCount(Writer ?? string.Empty), ProtocolLimits.ShortStringBytes, nameof(Writer));
        ArgumentOutOfRangeException.ThrowIfLessThan(Linger, TimeSpan.Zero, nameof(Linger));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Linger, TimeSpan.FromMinutes(1), nameof(Linger));
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchBytes, 1024, nameof(BatchBytes));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BatchBytes, 16 * 1024 * 1024, nameof(BatchBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(BufferBytes, 64 * 1024, nameof(BufferBytes));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BufferBytes, 1 << 30, nameof(BufferBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(DeliveryTimeout, TimeSpan.FromMilliseconds(100), nameof(DeliveryTimeout));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(DeliveryTimeout, TimeSpan.FromHours(1), nameof(DeliveryTimeout));
        return (ProducerOptions)MemberwiseClone();
    }
}

using System.Buffers.Binary;
using System.Text;
using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Groups.Queue;

/// <summary>
/// Brings records to the dead-letter topic, each once: the whole batch is written to the groups' log under a producer id and
/// sequence of its own first; published again after a failure, the partition knows it. One batch is under way per partition
/// there. One thread.
/// </summary>
internal sealed class DeadLetterOffice(IGroupContext context, QueueState state, Func<GroupImage> group)
{
    private const int RetryMs = 500;
    private const int MaxBatchBytes = 40 * 1024 * 1024;

    /// <summary>Most records that wait in memory for their turn.</summary>
    private const int MaxWaiting = 100;

    private readonly Queue<(QueuePartition Partition, long Offset, BufferedRecord Record)> _waiting = new();
    private readonly Dictionary<LogIdentity, QueueDeadLetter> _underWay = [];
    private bool _isAskingForId;
    private long _notBeforeMs;

    /// <summary>Called with a record that is in the dead-letter topic, once that is written down.</summary>
    public Action<QueuePartition, long, KeyHash> OnDone { get; set; } = static (_, _, _) => { };

    /// <summary>Whether one more record may be handed in.</summary>
    public bool HasRoom => _waiting.Count < MaxWaiting;

    /// <summary>The topic that dead letters go to now; null if there is none.</summary>
    public TopicImage? Target => group().DeadLetterTopic is { } name ? context.FindTopic(name) : null;

    /// <summary>Takes a record that failed for good.</summary>
    public void Take(QueuePartition partition, long offset, in BufferedRecord record)
    {
        _waiting.Enqueue((partition, offset, record));
        GoOn();
    }

    /// <summary>Forgets what waits: it is read again.</summary>
    public void Forget()
    {
        _waiting.Clear();
        _underWay.Clear();
    }

    /// <summary>Sends what was written down and what waits, as far as nothing is under way.</summary>
    public void GoOn()
    {
        if (context.NowMs < _notBeforeMs || _isAskingForId)
        {
            return;
        }

        foreach (var partition in state.Partitions.Values)
        {
            foreach (var letter in partition.DeadLetters.Values)
            {
                Send(letter);
            }
        }

        if (_waiting.Count == 0)
        {
            return;
        }

        if (state.ProducerId is null)
        {
            AskForId();
        }
        else if (Target is { } target)
        {
            while (_waiting.TryPeek(out var next) && !IsUnderWay(target, next.Partition))
            {
                _waiting.Dequeue();
                WriteDown(target, next.Partition, next.Offset, next.Record);
            }
        }
        else
        {
            _notBeforeMs = context.NowMs + RetryMs;
        }
    }

    private static LogIdentity TargetOf(TopicImage target, QueuePartition partition) =>
        new(target.TopicId, partition.Identity.Partition % target.Partitions.Length);

    private bool IsUnderWay(TopicImage target, QueuePartition partition) => _underWay.ContainsKey(TargetOf(target, partition));

    private void AskForId()
    {
        _isAskingForId = true;
        context.InitProducer((error, id) =>
        {
            _isAskingForId = false;
            if (error == ErrorCode.None)
            {
                context.Append(new QueueProducer { ProducerId = id });
            }
            else
            {
                _notBeforeMs = context.NowMs + RetryMs;
            }

            GoOn();
        });
    }

    private void WriteDown(TopicImage target, QueuePartition partition, long offset, in BufferedRecord record)
    {
        var identity = TargetOf(target, partition);
        var letter = new QueueDeadLetter
        {
            TopicId = partition.Identity.TopicId,
            Partition = partition.Identity.Partition,
            Offset = offset,
            TargetId = identity.TopicId,
            TargetPartition = identity.Partition,
            ProducerId = state.ProducerId!.Value,
            Sequence = state.Sequences.GetValueOrDefault(identity),
        };
        letter.Batch = Seal(letter, partition, record);
        context.Append(letter);
        partition.Doomed.Remove(offset);
        Send(letter);
    }

    private void Send(QueueDeadLetter letter)
    {
        var identity = new LogIdentity(letter.TargetId, letter.TargetPartition);
        if (_underWay.TryAdd(identity, letter))
        {
            if (context.Options.Omits(OmittedGroupRules.DeadLettersWrittenFirst))
            {
                Produce();
            }
            else
            {
                context.WhenCommitted(Produce);
            }
        }

        void Produce() => context.Produce(identity, letter.Batch, outcome => OnSent(identity, letter, outcome));
    }

    private void OnSent(LogIdentity identity, QueueDeadLetter letter, ProduceOutcome outcome)
    {
        if (!_underWay.TryGetValue(identity, out var expected) || expected != letter)
        {
            return;
        }

        _underWay.Remove(identity);
        var partition = state.Partitions.GetValueOrDefault(new LogIdentity(letter.TopicId, letter.Partition));
        if (partition?.DeadLetters.GetValueOrDefault(letter.Offset) != letter)
        {
            GoOn();
            return;
        }

        switch (outcome.Error)
        {
            case ErrorCode.None:
                context.Append(new QueueSettled
                {
                    TopicId = letter.TopicId,
                    Partition = letter.Partition,
                    AreDeadLetters = true,
                    Ranges = [new OffsetRange { First = letter.Offset, Last = letter.Offset }],
                });
                OnDone(partition, letter.Offset, KeyOf(letter));
                break;
            case ErrorCode.UnknownProducer or ErrorCode.OutOfOrderSequence or ErrorCode.FencedProducer
                or ErrorCode.UnknownTopic or ErrorCode.UnknownPartition or ErrorCode.CorruptBatch:
                Readdress(partition, letter);
                return;
            default:
                CoordinationEvents.DeadLetterFailed(context.Logger, group().Name, identity.ToString(), outcome.Error);
                _notBeforeMs = context.NowMs + RetryMs;
                break;
        }

        GoOn();
    }

    /// <summary>The dead-letter topic is another one by now, or has forgotten the producer: the record gets a new batch.</summary>
    private void Readdress(QueuePartition partition, QueueDeadLetter letter)
    {
        CoordinationEvents.DeadLetterFailed(context.Logger, group().Name, $"{letter.TargetId}-{letter.TargetPartition}", ErrorCode.UnknownProducer);
        partition.DeadLetters.Remove(letter.Offset);
        RecordScan.Walk(letter.Batch, (in ScannedRecord record) =>
            _waiting.Enqueue((partition, letter.Offset, new BufferedRecord(record.Key, record.TimestampMs, record.Fields.ToArray()))));
        _notBeforeMs = context.NowMs + RetryMs;
        AskForId();
    }

    private ReadOnlyMemory<byte> Seal(QueueDeadLetter letter, QueuePartition partition, in BufferedRecord record)
    {
        var failed = partition.Failed.GetValueOrDefault(letter.Offset);
        var fields = RecordFields.Read(record.Fields);
        var headers = fields.Headers.Where(static header => !header.Name.StartsWith("weir-dead-letter-", StringComparison.Ordinal)).ToList();
        headers.Add(Text(WellKnownHeaders.DeadLetterGroup, group().Name));
        headers.Add(Text(WellKnownHeaders.DeadLetterReason, failed?.Reason ?? $"delivered {failed?.Deliveries ?? 0} times without success"));
        headers.Add(Text(WellKnownHeaders.DeadLetterTopic, TopicName(partition)));
        headers.Add(Number(WellKnownHeaders.DeadLetterPartition, partition.Identity.Partition));
        headers.Add(Number(WellKnownHeaders.DeadLetterOffset, letter.Offset));
        headers.Add(Number(WellKnownHeaders.DeadLetterDeliveries, failed?.Deliveries ?? 0));
        using var builder = new RecordBatchBuilder(MaxBatchBytes);
        builder.TryAdd(
            record.TimestampMs, (fields.Key ?? default).Span, fields.Key is not null, (fields.Value ?? default).Span,
            fields.Value is not null, headers.ToArray());
        return builder.Seal(
            letter.TargetId, letter.TargetPartition, new BatchProducer(letter.ProducerId, 0, letter.Sequence)).ToArray();
    }

    private static KeyHash KeyOf(QueueDeadLetter letter)
    {
        var key = KeyHash.None;
        RecordScan.Walk(letter.Batch, (in ScannedRecord record) => key = record.Key);
        return key;
    }

    private string TopicName(QueuePartition partition) => context.FindTopic(partition.Identity.TopicId)?.Name ?? string.Empty;

    private static RecordHeader Text(string name, string value) => new(name, Encoding.UTF8.GetBytes(value));

    private static RecordHeader Number(string name, long value)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return new RecordHeader(name, bytes);
    }
}

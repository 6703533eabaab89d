using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Metadata;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;
using Weir.Storage;

namespace Weir.Groups.Tests;

/// <summary>
/// A coordinator over a log and partitions in memory, with a clock that the test moves. What is appended is committed at once,
/// unless the test holds that up.
/// </summary>
internal sealed class TestCoordinator : IGroupHost, IGroupLog
{
    private readonly List<Action> _callbacks = [];
    private readonly List<byte[]> _values = [];
    private readonly List<(LogIdentity Partition, long Offset, Action<ReadOutcome> Done)> _reads = [];
    private readonly HashSet<(long, int)> _sequences = [];
    private long _committed;

    public TestCoordinator(params IMetadataRecord[] records)
    {
        Image = MetadataImage.Empty.Apply(new ClusterCreated { ClusterId = "c", FeatureLevel = 1 });
        foreach (var record in records)
        {
            Image = Image.Apply(record);
        }

        Coordinator = Create();
        Coordinator.Activate();
        Settle();
    }

    public static Guid GroupId { get; } = Guid.Parse("00000000-0000-0000-0000-0000000000aa");

    public MetadataImage Image { get; private set; }

    public GroupCoordinator Coordinator { get; private set; }

    /// <summary>Ends of the topics' partitions.</summary>
    public Dictionary<LogIdentity, long> Ends { get; } = [];

    /// <summary>What is in the topics' partitions, batch by batch.</summary>
    public Dictionary<LogIdentity, List<byte[]>> Batches { get; } = [];

    /// <summary>Whether the dead-letter topic takes records, and does not only lose the answer.</summary>
    public ErrorCode ProduceError { get; set; }

    /// <summary>Whether leaders answer.</summary>
    public bool AreLeadersSilent { get; set; }

    /// <summary>Whether what is appended is committed.</summary>
    public bool HoldsCommits { get; set; }

    public ILogger Logger => NullLogger.Instance;

    public long NowMs { get; private set; } = 1000;

    public long WallClockMs => NowMs;

    public long EndOffset => _values.Count;

    public static TopicCreated Topic(string name, int partitions, int number = 1) => new()
    {
        TopicId = TopicId(number),
        Name = name,
        Partitions = [.. Enumerable.Range(0, partitions).Select(Partition)],
    };

    public static Guid TopicId(int number) => new(number, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]);

    public static GroupCreated Group(GroupMode mode, params string[] topics) =>
        new() { GroupId = GroupId, Name = "g", Mode = mode, Topics = topics, CreatedAtMs = 500 };

    public static PartitionAssignment Partition(int index) =>
        new() { Index = index, Leader = 1, Replicas = [1], Isr = [1] };

    public void Apply(IMetadataRecord record)
    {
        Image = Image.Apply(record);
        Coordinator.Apply(Image);
        Settle();
    }

    /// <summary>Publishes a record.</summary>
    public void Publish(LogIdentity partition, string? key, string value, long? deliverAtMs = null)
    {
        using var builder = new RecordBatchBuilder(64 * 1024);
        var headers = new List<RecordHeader>();
        if (deliverAtMs is { } dueMs)
        {
            headers.Add(new RecordHeader(WellKnownHeaders.DeliverAt, BitConverter.GetBytes(dueMs)));
        }

        builder.TryAdd(
            NowMs, key is null ? default : Encoding.UTF8.GetBytes(key), key is not null, Encoding.UTF8.GetBytes(value), hasValue: true,
            headers.ToArray());
        Append(partition, builder.Seal(partition.TopicId, partition.Partition, BatchProducer.None).ToArray());
        Settle();
    }

    /// <summary>Lets time pass, in steps of a tick.</summary>
    public void Advance(long ms)
    {
        for (var until = NowMs + ms; NowMs < until;)
        {
            NowMs = Math.Min(until, NowMs + 10);
            Coordinator.Tick();
            Settle();
        }
    }

    /// <summary>Lets time pass in which the coordinator stands still.</summary>
    public void Stall(long ms)
    {
        NowMs += ms;
        Coordinator.Tick();
        Settle();
    }

    /// <summary>The coordinator fails, and another one begins with what it has written, or with the first records of that.</summary>
    public void Fail(int? records = null)
    {
        Coordinator.End(ErrorCode.NotCoordinator, "failed");
        _callbacks.Clear();
        _reads.Clear();
        _values.RemoveRange(records ?? _values.Count, _values.Count - (records ?? _values.Count));
        _committed = _values.Count;
        Coordinator = Create();
        foreach (var value in _values)
        {
            Coordinator.Load(value);
        }

        Coordinator.Activate();
        Settle();
    }

    /// <summary>Sends a request; its answer, or its refusal.</summary>
    public (TResponse? Response, ErrorCode Error) Ask<TResponse>(Action<GroupCoordinator, Action<TResponse>, Metadata.Control.Refuse> send)
        where TResponse : class, IMessage
    {
        (TResponse? Response, ErrorCode Error) answer = default;
        send(Coordinator, response => answer.Response = response, (code, _) => answer.Error = code);
        Settle();
        return answer;
    }

    public DescribeGroupResponse Describe() => Ask<DescribeGroupResponse>(
        static (coordinator, reply, refuse) => coordinator.Receive(new DescribeGroupRequest { Name = "g" }, reply, refuse)).Response!;

    /// <summary>Does what is under way: answers of leaders, commits.</summary>
    public void Settle()
    {
        do
        {
            if (!HoldsCommits)
            {
                _committed = _values.Count;
            }

            Coordinator.OnCommitted(_committed);
            var callbacks = _callbacks.ToList();
            _callbacks.Clear();
            Coordinator.Run(() => callbacks.ForEach(static callback => callback()));
        }
        while (_callbacks.Count > 0 || (_committed < _values.Count && !HoldsCommits));
    }

    public long Append(IReadOnlyList<byte[]> values)
    {
        _values.AddRange(values);
        return _values.Count;
    }

    public void DeleteBefore(long offset)
    {
    }

    public void Read(LogIdentity partition, long offset, int maxBytes, Action<ReadOutcome> done)
    {
        _reads.Add((partition, offset, done));
        AnswerReads();
    }

    public void LookUp(LogIdentity partition, StartPosition position, long value, Action<OffsetAnswer> done)
    {
        var end = Ends.GetValueOrDefault(partition);
        var offset = position switch
        {
            StartPosition.Earliest => 0,
            StartPosition.Offset => Math.Clamp(value, 0, end),
            _ => end,
        };
        _callbacks.Add(() => done(AreLeadersSilent
            ? new OffsetAnswer { Error = ErrorCode.ConnectionLost }
            : new OffsetAnswer { LogStartOffset = 0, HighWatermark = end, Offset = offset, AppendTimeMs = 0 }));
    }

    public void Produce(LogIdentity partition, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done)
    {
        var header = RecordBatchHeader.Verify(batch.Span);
        if (ProduceError is ErrorCode.None or ErrorCode.RequestTimedOut && _sequences.Add((header.ProducerId, header.BaseSequence)))
        {
            Append(partition, batch.ToArray());
        }

        _callbacks.Add(() => done(new ProduceOutcome(ProduceError, 0)));
    }

    public void InitProducer(Action<ErrorCode, long> done) => _callbacks.Add(() => done(ErrorCode.None, 1));

    private void Append(LogIdentity partition, byte[] batch)
    {
        var end = Ends.GetValueOrDefault(partition);
        RecordBatchHeader.Stamp(batch, end, NowMs, end, 0);
        if (!Batches.TryGetValue(partition, out var batches))
        {
            Batches[partition] = batches = [];
        }

        batches.Add(batch);
        Ends[partition] = end + 1;
        AnswerReads();
    }

    private void AnswerReads()
    {
        foreach (var read in _reads.Where(read => read.Offset < Ends.GetValueOrDefault(read.Partition)).ToList())
        {
            _reads.Remove(read);
            byte[] bytes = [.. Batches[read.Partition].Skip((int)read.Offset).Take(20).SelectMany(static batch => batch)];
            _callbacks.Add(() => read.Done(new ReadOutcome(ErrorCode.None, 0, Ends[read.Partition], bytes)));
        }
    }

    private GroupCoordinator Create() => new(0, 1, Image, this, this, new CoordinatorOptions());
}

/// <summary>A member's connection: keeps what was pushed.</summary>
internal sealed class TestSession : IGroupSession
{
    public List<object> Pushes { get; } = [];

    public uint SessionId { get; init; } = 1;

    public string Remote => "test";

    public bool IsOpen => true;

    public void Push<T>(T message)
        where T : IPush => Pushes.Add(message);
}

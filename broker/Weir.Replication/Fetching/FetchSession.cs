using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Replication.Fetching;

/// <summary>
/// The leader's side of one follower's fetch session (KIP-227): the partitions that it fetches, which of them have news, and
/// the fetch that waits for them. A partition that rests costs nothing. Used under the table's lock.
/// </summary>
internal sealed class FetchSession(int nodeId, long sessionId, long brokerEpoch)
{
    private readonly Dictionary<LogIdentity, Entry> _entries = [];
    private readonly Queue<Entry> _ready = new();

    public int NodeId => nodeId;

    public long SessionId => sessionId;

    public long BrokerEpoch => brokerEpoch;

    /// <summary>Number that the next request must have.</summary>
    public int NextEpoch { get; set; }

    /// <summary>The fetch that waits; null if none does.</summary>
    public WaitingFetch? Waiting { get; set; }

    /// <summary>Whether some partition has news that are worth an answer at once.</summary>
    public bool HasUrgentNews { get; private set; }

    /// <summary>Takes up what a request says of its partitions.</summary>
    public void Update(FetchReplicaRequest request, ReplicaTable replicas, long nowMs)
    {
        foreach (var forgotten in request.Forgotten)
        {
            if (_entries.Remove(new LogIdentity(forgotten.TopicId, forgotten.Partition), out var entry))
            {
                entry.IsForgotten = true;
            }
        }

        foreach (var fetch in request.Partitions)
        {
            var identity = new LogIdentity(fetch.TopicId, fetch.Partition);
            if (!_entries.TryGetValue(identity, out var entry))
            {
                entry = new Entry();
                _entries[identity] = entry;
            }

            entry.Position = fetch;
            entry.ToldHighWatermark = fetch.HighWatermark;
            entry.Replica = replicas.Find(identity);
            entry.Answer = entry.Replica?.OnFetch(nodeId, brokerEpoch, fetch, nowMs) ?? Unknown(fetch);
            Enqueue(entry, isUrgent: entry.HasNews);
        }
    }

    /// <summary>A partition has records or another state for its followers.</summary>
    /// <returns>Whether this session has it, with news that are worth an answer at once.</returns>
    public bool OnNews(Replica replica, long nowMs)
    {
        if (!_entries.TryGetValue(replica.Identity, out var entry))
        {
            return false;
        }

        entry.Replica = replica;
        if (entry.Position.LeaderEpoch != replica.LeaderEpoch || replica.Role != ReplicaRole.Leader)
        {
            // It must fetch again as of the new epoch: what it acknowledged counts for the old one.
            entry.Answer = new FetchedPartition
            {
                TopicId = replica.Identity.TopicId,
                Partition = replica.Identity.Partition,
                Error = replica.Role == ReplicaRole.Leader ? ErrorCode.FencedLeaderEpoch : ErrorCode.NotLeader,
            };
        }

        else if (entry.Answer.Error is ErrorCode.UnknownLeaderEpoch or ErrorCode.FencedLeaderEpoch or ErrorCode.NotLeader)
        {
            // It was ahead of this broker's metadata: where it stands still holds.
            entry.Answer = replica.OnFetch(nodeId, brokerEpoch, entry.Position, nowMs);
        }

        var isUrgent = entry.HasNews;
        Enqueue(entry, isUrgent);
        return isUrgent;
    }

    /// <summary>Builds the answer to the waiting fetch from what is ready.</summary>
    public FetchReplicaResponse Answer(int maxBytes, int maxPartitionBytes, Action<Replica, long> onDamage)
    {
        var partitions = new List<FetchedPartition>();
        var records = new RecordBuffer(maxBytes);
        for (var left = _ready.Count; left > 0 && records.Length < maxBytes; left--)
        {
            var entry = _ready.Dequeue();
            entry.IsQueued = false;
            if (!entry.IsForgotten && TakeNews(entry, records, maxPartitionBytes, onDamage) is { } fetched)
            {
                partitions.Add(fetched);
            }
        }

        HasUrgentNews = _ready.Any(static entry => entry.HasNews);
        return new FetchReplicaResponse { Partitions = [.. partitions], Records = records.Content };
    }

    private static FetchedPartition Unknown(ReplicaFetch fetch) => new()
    {
        TopicId = fetch.TopicId, Partition = fetch.Partition, Error = ErrorCode.UnknownLeaderEpoch,
    };

    private static FetchedPartition? TakeNews(
        Entry entry, RecordBuffer records, int maxPartitionBytes, Action<Replica, long> onDamage)
    {
        var answer = entry.Answer;
        if (answer.Error != ErrorCode.None || answer.DivergingEndOffset >= 0)
        {
            return entry.IsAnswered ? null : entry.MarkAnswered();
        }

        var replica = entry.Replica!;
        var start = records.Length;
        try
        {
            if (entry.Position.FetchOffset < replica.Log.LogEndOffset && replica.Role == ReplicaRole.Leader)
            {
                entry.Read(records, maxPartitionBytes);
            }
        }
        catch (LogCorruptException e)
        {
            onDamage(replica, e.Offset);
            return null;
        }

        var fetched = new FetchedPartition
        {
            TopicId = answer.TopicId,
            Partition = answer.Partition,
            HighWatermark = replica.HighWatermark,
            LogStartOffset = replica.Log.LogStartOffset,
            RecordBytes = records.Length - start,
        };
        var isNews = fetched.RecordBytes > 0 || fetched.HighWatermark != entry.ToldHighWatermark
            || fetched.LogStartOffset != entry.ToldLogStart;
        entry.ToldHighWatermark = fetched.HighWatermark;
        entry.ToldLogStart = fetched.LogStartOffset;
        return isNews ? fetched : null;
    }

    private void Enqueue(Entry entry, bool isUrgent)
    {
        HasUrgentNews |= isUrgent;
        if (!entry.IsQueued)
        {
            entry.IsQueued = true;
            _ready.Enqueue(entry);
        }
    }

    /// <summary>A fetch that waits for news.</summary>
    public sealed record WaitingFetch(FetchReplicaRequest Request, Action<FetchReplicaResponse> Reply, long DeadlineMs);

    private sealed class Entry
    {
        private LogCursor _cursor = new(-1, 0, 0);
        private FetchedPartition _answer = new();

        public ReplicaFetch Position { get; set; } = new();

        public Replica? Replica { get; set; }

        public bool IsQueued { get; set; }

        public bool IsForgotten { get; set; }

        public bool IsAnswered { get; private set; }

        public long ToldHighWatermark { get; set; } = -1;

        public long ToldLogStart { get; set; } = -1;

        /// <summary>What the replica said to the fetch: an error, a divergence, or to read on.</summary>
        public FetchedPartition Answer
        {
            get => _answer;
            set
            {
                _answer = value;
                IsAnswered = false;
            }
        }

        public bool HasNews =>
            Answer.Error != ErrorCode.None || Answer.DivergingEndOffset >= 0
                ? !IsAnswered
                : Replica is not null && Position.FetchOffset < Replica.Log.LogEndOffset;

        public FetchedPartition MarkAnswered()
        {
            IsAnswered = true;
            return Answer;
        }

        public void Read(RecordBuffer records, int maxBytes)
        {
            var log = Replica!.Log;
            if (_cursor.Offset != Position.FetchOffset)
            {
                _cursor = log.Locate(Position.FetchOffset);
            }

            records.Append(log, ref _cursor, maxBytes);
        }
    }
}

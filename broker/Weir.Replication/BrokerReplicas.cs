using Weir.Metadata;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Replication.Fetching;
using Weir.Replication.Partitions;
using Weir.Replication.Repair;
using Weir.Storage;

namespace Weir.Replication;

/// <summary>
/// All replicas of a broker, kept in step with the metadata: what the metadata log says first, the replicas follow. Owns the
/// sessions of its followers and the fetchers of the leaders that it follows.
/// </summary>
/// <remarks>
/// <see cref="Apply"/> and <see cref="Tick"/> are called by one thread each; everything else is thread-safe.
/// <see cref="Apply"/> opens and deletes logs, so it blocks for the disk.
/// </remarks>
public sealed class BrokerReplicas : IReplicaListener
{
    private readonly int _self;
    private readonly IReplicaHost _host;
    private readonly IPeerNetwork _network;
    private readonly ReplicationOptions _options;
    private readonly Func<long> _brokerEpoch;
    private readonly Lock _fetchersGate = new();
    private readonly SortedDictionary<int, ReplicaFetcher> _fetchers = [];
    private readonly IsrUpdater _isr;
    private readonly ReplicaRepair _repair;
    private readonly Scrubber _scrubber;
    private long _lastSessionId;
    private MetadataImage _applied = MetadataImage.Empty;
    private bool _hasSweptOrphans;

    /// <summary>Creates the replicas of a broker; the first <see cref="Apply"/> opens them.</summary>
    /// <param name="self">Node id.</param>
    /// <param name="host">Files, flush, clock, metadata.</param>
    /// <param name="network">How peers are reached; its callbacks may come on any thread.</param>
    /// <param name="options">Times and sizes.</param>
    /// <param name="controller">Node id of the controller; -1 if none is known.</param>
    /// <param name="brokerEpoch">Epoch of this broker's registration; -1 before it.</param>
    public BrokerReplicas(
        int self, IReplicaHost host, IPeerNetwork network, ReplicationOptions options, Func<int> controller,
        Func<long> brokerEpoch)
    {
        _self = self;
        _host = host;
        _network = network;
        _options = options;
        _brokerEpoch = brokerEpoch;
        _lastSessionId = host.FirstSessionId;
        Table = new ReplicaTable();
        _repair = new ReplicaRepair(self, Table, host, network, options, controller, brokerEpoch);
        _repair.Repaired = Follow;
        _scrubber = new Scrubber(Table, host, options, _repair.OnDamage);
        Sessions = new FetchSessionTable(Table, host, options, _repair.OnDamage);
        _isr = new IsrUpdater(self, Table, host, network, options, controller, brokerEpoch, Sessions.LastFetchMs);
    }

    /// <summary>The replicas.</summary>
    public ReplicaTable Table { get; }

    /// <summary>The sessions of this broker's followers.</summary>
    public FetchSessionTable Sessions { get; }

    /// <summary>First metadata offset that the replicas do not follow yet.</summary>
    public long AppliedOffset => Volatile.Read(ref _applied).NextOffset;

    /// <summary>The metadata, once it is worth to be told: not before this broker has caught up since its start.</summary>
    /// <exception cref="ProtocolException">It has not caught up, and would tell of the past.</exception>
    public MetadataImage RequireMetadata(MetadataImage image) => AppliedOffset > 0
        ? image
        : throw new ProtocolException(
            ErrorCode.QuorumUnavailable, "this broker has not caught up with the metadata of its cluster yet");

    /// <summary>Told of every replica's progress, after the sessions of followers; set once before the first apply.</summary>
    public IReplicaListener? Listener { get; set; }

    /// <summary>Follows the committed metadata: opens, turns and deletes replicas.</summary>
    public void Apply(MetadataImage image)
    {
        var before = _applied;
        if (image.NextOffset <= before.NextOffset || (before.NextOffset == 0 && !HasCaughtUp(image)))
        {
            return;
        }

        foreach (var topic in image.Topics.OrderBy(static topic => topic.TopicId))
        {
            if (!ReferenceEquals(before.Find(topic.TopicId), topic))
            {
                ApplyTopic(topic, before.Find(topic.TopicId));
            }
        }

        foreach (var gone in Table.InOrder.Where(replica => image.Find(replica.Identity.TopicId) is null).ToList())
        {
            Drop(gone);
        }

        Volatile.Write(ref _applied, image);
        if (!_hasSweptOrphans)
        {
            _hasSweptOrphans = true;
            SweepOrphans(image);
        }
    }

    /// <summary>Does what is due.</summary>
    public void Tick()
    {
        Sessions.Tick();
        foreach (var fetcher in Fetchers())
        {
            fetcher.Tick();
        }

        _isr.Tick();
        _repair.Tick();
    }

    /// <summary>Looks for damage on the disk, within its budget. One thread, apart from <see cref="Tick"/>: it reads.</summary>
    public void Scrub() => _scrubber.Tick();

    /// <summary>Looks for damage everywhere, once.</summary>
    internal void ScrubAll() => _scrubber.ReadAll();

    /// <summary>Reads batches that were checked, from the one on that holds an offset.</summary>
    /// <exception cref="LogCorruptException">There is damage on the way; the replica is given up until it is repaired.</exception>
    public IReadOnlyList<ReadOnlyMemory<byte>> ReadChecked(Replica replica, long offset, long limit, int maxBytes) =>
        Read(replica, offset, limit, maxBytes).Split();

    /// <summary>As <see cref="ReadChecked"/>, back to back.</summary>
    /// <exception cref="LogCorruptException">There is damage on the way; the replica is given up until it is repaired.</exception>
    public ReadOnlyMemory<byte> ReadCommitted(Replica replica, long offset, long limit, int maxBytes) =>
        Read(replica, offset, limit, maxBytes).Content;

    private RecordBuffer Read(Replica replica, long offset, long limit, int maxBytes)
    {
        try
        {
            var buffer = new RecordBuffer(maxBytes);
            var cursor = replica.Log.Locate(offset);
            buffer.Append(replica.Log, ref cursor, limit, maxBytes);
            return buffer;
        }
        catch (LogCorruptException e)
        {
            OnDamage(replica, e.Offset);
            throw;
        }
    }

    /// <summary>Damage was met in a replica, by a reader or the scrubber.</summary>
    public void OnDamage(Replica replica, long offset) => _repair.OnDamage(replica, offset);

    /// <inheritdoc/>
    public void OnReplicaProgress(Replica replica)
    {
        if (replica.Log.State == LogState.Corrupt && replica.DamagedFrom is null)
        {
            OnDamage(replica, replica.Log.LogEndOffset);
            return;
        }

        if (replica.Role == ReplicaRole.Follower)
        {
            FindFetcher(replica.State!.Leader)?.OnProgress(replica);
        }
        else
        {
            Sessions.OnNews(replica);
        }

        Listener?.OnReplicaProgress(replica);
    }

    /// <summary>A leader has appended: its followers that wait are told.</summary>
    public void OnAppended(Replica replica) => Sessions.OnNews(replica);

    /// <summary>
    /// Whether the metadata has come as far as this process's own registration. Before that it may say of the past that this
    /// broker leads: a client that believed it would see the end of a partition go back.
    /// </summary>
    private bool HasCaughtUp(MetadataImage image) =>
        _brokerEpoch() >= 0 && image.FindBroker(_self) is { } broker && broker.BrokerEpoch >= _brokerEpoch();

    private void ApplyTopic(TopicImage topic, TopicImage? before)
    {
        foreach (var partition in topic.Partitions)
        {
            var identity = new LogIdentity(topic.TopicId, partition.Index);
            var replica = Table.Find(identity);
            if (!partition.Replicas.Contains(_self))
            {
                if (replica is not null)
                {
                    Drop(replica);
                }

                continue;
            }

            var isSame = before is not null && partition.Index < before.Partitions.Length
                && ReferenceEquals(before.Partitions[partition.Index], partition)
                && ReferenceEquals(before.Settings, topic.Settings);
            if (isSame && replica is not null)
            {
                continue;
            }

            replica ??= Open(topic, identity);
            if (replica is not null)
            {
                Turn(replica, topic, partition);
            }
        }
    }

    private Replica? Open(TopicImage topic, LogIdentity identity)
    {
        var log = _host.OpenLog(identity, topic.Settings.ToLogOptions(topic.Kind));
        var replica = new Replica(_self, log, topic, _host, this, _options.Omits);
        Table.Add(replica);
        if (log.State == LogState.Corrupt)
        {
            _repair.OnDamage(replica, log.DamagedFrom ?? log.LogEndOffset);
        }

        return replica;
    }

    /// <summary>Lets a replica lead or follow as the metadata says, from whom it says.</summary>
    private void Turn(Replica replica, TopicImage topic, PartitionImage state)
    {
        var before = replica.State;
        var isNewEpoch = replica.Apply(topic, state);
        if (before is not null && before.Leader != state.Leader)
        {
            FindFetcher(before.Leader)?.Remove(replica.Identity);
        }

        if (isNewEpoch)
        {
            Follow(replica);
        }
    }

    /// <summary>Starts to copy from the leader, if the replica follows one.</summary>
    internal void Follow(Replica replica)
    {
        if (replica.Role == ReplicaRole.Follower && replica.State is { } state)
        {
            GetFetcher(state.Leader).Add(replica);
        }
    }

    private void Drop(Replica replica)
    {
        if (replica.State is { } state)
        {
            FindFetcher(state.Leader)?.Remove(replica.Identity);
        }

        Table.Remove(replica.Identity);
        replica.Retire();
        replica.Log.Dispose();
        _host.DeleteLog(replica.Identity);
    }

    /// <summary>
    /// What lies in the data directory without being a replica goes only if the metadata says why: the topic was deleted, or
    /// its replicas are elsewhere. Absence alone deletes nothing.
    /// </summary>
    private void SweepOrphans(MetadataImage image)
    {
        foreach (var identity in _host.ListLogs())
        {
            if (Table.Find(identity) is not null)
            {
                continue;
            }

            var topic = image.Find(identity.TopicId);
            var isElsewhere = topic is not null && identity.Partition < topic.Partitions.Length
                && !topic.Partitions[identity.Partition].Replicas.Contains(_self);
            if (image.WasDeleted(identity.TopicId) || isElsewhere)
            {
                _host.DeleteLog(identity);
            }
            else
            {
                ReplicationEvents.Orphan(_host.Logger, identity.ToString());
            }
        }
    }

    private List<ReplicaFetcher> Fetchers()
    {
        lock (_fetchersGate)
        {
            return [.. _fetchers.Values];
        }
    }

    private ReplicaFetcher? FindFetcher(int leader)
    {
        lock (_fetchersGate)
        {
            return _fetchers.GetValueOrDefault(leader);
        }
    }

    private ReplicaFetcher GetFetcher(int leader)
    {
        lock (_fetchersGate)
        {
            if (!_fetchers.TryGetValue(leader, out var fetcher))
            {
                fetcher = new ReplicaFetcher(
                    _self, leader, _host, _network, _options, () => Interlocked.Increment(ref _lastSessionId), _brokerEpoch);
                _fetchers[leader] = fetcher;
            }

            return fetcher;
        }
    }
}

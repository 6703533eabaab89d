using Weir.Client;
using Weir.Client.Admin;
using Weir.Protocol.Errors;

namespace Weir.Operator.Brokers;

/// <summary>What is known of all topics and groups of a cluster at a moment.</summary>
/// <param name="Status">Brokers, quorum and figures.</param>
/// <param name="Topics">Topics by name, without their settings.</param>
/// <param name="Groups">Groups by name, without members and lag.</param>
internal sealed record ClusterSnapshot(
    ClusterStatus Status, IReadOnlyDictionary<string, TopicSummary> Topics, IReadOnlyDictionary<string, GroupSummary> Groups);

/// <summary>
/// The client of one cluster and what it last said: three requests per age for all resources of the cluster together.
/// Thread-safe; its pool makes and disposes it.
/// </summary>
internal sealed class ClusterConnection : IAsyncDisposable
{
    /// <summary>A cluster that did not answer is left alone for so long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Func<string, WeirClientOptions> _createOptions;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Lock _lock = new();
    private WeirClient? _client;
    private string _connectedTo = string.Empty;
    private ClusterSnapshot? _snapshot;
    private long _snapshotAt;
    private long _changes;
    private (Exception Error, long At)? _failure;
    private bool _isDisposed;

    public ClusterConnection(string clusterUid, Func<string, WeirClientOptions> createOptions, TimeProvider time)
    {
        ClusterUid = clusterUid;
        _createOptions = createOptions;
        _time = time;
    }

    /// <summary>The uid of the resource that it belongs to.</summary>
    public string ClusterUid { get; }

    /// <summary>Where to connect to.</summary>
    public string Servers { get; set; } = string.Empty;

    /// <summary>Administration of the cluster.</summary>
    /// <exception cref="BrokersUnreachableException">No broker answers, or none did a moment ago.</exception>
    public async Task<WeirAdmin> GetAdminAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            return (await ConnectAsync(cancellationToken)).Admin;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The state of the cluster, at most so old.</summary>
    /// <exception cref="BrokersUnreachableException">No broker answers, or none did a moment ago.</exception>
    /// <exception cref="WeirException">The brokers refuse.</exception>
    public async Task<ClusterSnapshot> GetSnapshotAsync(TimeSpan maxAge, CancellationToken cancellationToken)
    {
        if (Fresh(maxAge) is { } known)
        {
            return known;
        }

        await _turn.WaitAsync(cancellationToken);
        try
        {
            // Whoever waited finds what the one before has fetched.
            if (Fresh(maxAge) is { } fetched)
            {
                return fetched;
            }

            var client = await ConnectAsync(cancellationToken);
            return await RunAsync(() => FetchAsync(client.Admin, cancellationToken));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Something was changed through this connection: one topic is asked for again, in one small request.</summary>
    public async Task<TopicSummary?> RefreshTopicAsync(string name, CancellationToken cancellationToken)
    {
        var admin = await GetAdminAsync(cancellationToken);
        var metadata = await admin.GetMetadataAsync([name], cancellationToken);
        var topic = metadata.Topics.FirstOrDefault(topic => topic.Name == name);
        lock (_lock)
        {
            _changes++;
            if (_snapshot is { } snapshot)
            {
                var topics = new Dictionary<string, TopicSummary>(snapshot.Topics);
                topics.Remove(name);
                if (topic is not null)
                {
                    topics[name] = topic;
                }

                _snapshot = snapshot with { Topics = topics };
            }
        }

        return topic;
    }

    /// <summary>What is known is not trusted any more.</summary>
    public void Invalidate()
    {
        lock (_lock)
        {
            _changes++;
            _snapshot = null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        try
        {
            _isDisposed = true;
            await DropAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    private static bool IsUnreachable(Exception e) => e is WeirException
    {
        Code: ErrorCode.ConnectionLost or ErrorCode.RequestTimedOut or ErrorCode.WrongCluster or ErrorCode.ShuttingDown,
    };

    private ClusterSnapshot? Fresh(TimeSpan maxAge)
    {
        lock (_lock)
        {
            return _snapshot is { } snapshot && _time.GetElapsedTime(_snapshotAt) <= maxAge ? snapshot : null;
        }
    }

    private async Task<ClusterSnapshot> FetchAsync(WeirAdmin admin, CancellationToken cancellationToken)
    {
        long changes;
        lock (_lock)
        {
            changes = _changes;
        }

        var at = _time.GetTimestamp();
        var status = await admin.Cluster.DescribeAsync(cancellationToken);
        var topics = await admin.GetMetadataAsync(null, cancellationToken);
        var groups = status.Groups > 0 ? await admin.ListGroupsAsync(cancellationToken) : [];
        var snapshot = new ClusterSnapshot(
            status,
            topics.Topics.ToDictionary(static topic => topic.Name),
            groups.ToDictionary(static group => group.Name));
        lock (_lock)
        {
            // What was changed while it was fetched may be missing in it: then it serves once only.
            if (changes == _changes)
            {
                _snapshot = snapshot;
                _snapshotAt = at;
            }
        }

        return snapshot;
    }

    private async Task<WeirClient> ConnectAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_failure is { } failure && _time.GetElapsedTime(failure.At) < Patience)
        {
            throw Unreachable(failure.Error);
        }

        if (_client is not null && _connectedTo != Servers)
        {
            await DropAsync();
        }

        if (_client is null)
        {
            _connectedTo = Servers;
            _client = await RunAsync(() => WeirClient.ConnectAsync(_createOptions(Servers), cancellationToken));
        }

        return _client;
    }

    /// <summary>Remembers for a while that nobody answered.</summary>
    private async Task<T> RunAsync<T>(Func<Task<T>> call)
    {
        try
        {
            var result = await call();
            _failure = null;
            return result;
        }
        catch (WeirException e) when (IsUnreachable(e))
        {
            _failure = (e, _time.GetTimestamp());
            Invalidate();
            if (e.Code == ErrorCode.WrongCluster)
            {
                await DropAsync();
            }

            throw Unreachable(e);
        }
    }

    private BrokersUnreachableException Unreachable(Exception e) => new($"no broker of {Servers} answers: {e.Message}", e);

    private async ValueTask DropAsync()
    {
        if (_client is { } client)
        {
            _client = null;
            await client.DisposeAsync();
        }
    }
}

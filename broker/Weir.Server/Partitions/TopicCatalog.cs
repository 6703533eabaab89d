using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Server.Diagnostics;
using Weir.Server.Transport;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Server.Partitions;

/// <summary>
/// Keeps the open logs in step with the metadata: what the metadata log says first, the partitions follow. Changes are made
/// one at a time.
/// </summary>
internal sealed class TopicCatalog(
    BrokerContext broker, PhysicalLogFiles files, MetadataLog metadata, PartitionTable partitions, TailMemory tailMemory,
    ConnectionListener listener) : IDisposable
{
    private const string LogsDirectory = "partitions";
    private readonly SemaphoreSlim _changes = new(1, 1);

    public MetadataImage Image => metadata.Image;

    /// <summary>Opens the log of every partition in the metadata; a directory that is in none is left alone.</summary>
    public void OpenAll()
    {
        files.CreateDirectory(LogsDirectory);
        files.SyncDirectory(string.Empty);
        var left = files.ListDirectories(LogsDirectory).ToHashSet(StringComparer.Ordinal);
        foreach (var topic in Image.Topics)
        {
            foreach (var partition in topic.Partitions)
            {
                Open(topic, partition);
                left.Remove(new LogIdentity(topic.TopicId, partition.Index).DirectoryName);
            }
        }

        foreach (var directory in left)
        {
            RemoveIfDeleted(directory);
        }
    }

    /// <summary>Creates a topic and opens its logs.</summary>
    public Task<CreateTopicResponse> CreateAsync(CreateTopicRequest request) => ChangeAsync(() =>
    {
        var response = metadata.CreateTopic(request);
        if (!request.ValidateOnly)
        {
            OpenMissing(request.Name);
            ServerLog.TopicChanged(broker.Logger, request.Name, "created");
        }

        return response;
    });

    /// <summary>Changes settings or adds partitions.</summary>
    public Task<EmptyMessage> AlterAsync(AlterTopicRequest request) => ChangeAsync(() =>
    {
        metadata.AlterTopic(request);
        if (!request.ValidateOnly)
        {
            OpenMissing(request.Name);
            ServerLog.TopicChanged(broker.Logger, request.Name, "altered");
        }

        return new EmptyMessage();
    });

    /// <summary>Deletes a topic, then its data.</summary>
    public Task<EmptyMessage> DeleteAsync(DeleteTopicRequest request) => ChangeAsync(() =>
    {
        var topic = metadata.DeleteTopic(request);
        foreach (var partition in topic.Partitions)
        {
            var identity = new LogIdentity(topic.TopicId, partition.Index);
            if (partitions.Remove(identity) is { } removed)
            {
                var reason = $"topic {request.Name} was deleted";
                removed.Close(ErrorCode.UnknownTopic, reason);
                listener.EndSubscriptions(identity, ErrorCode.UnknownTopic, reason);
                removed.Log.Dispose();
                broker.Metrics.Forget(removed);
            }

            DeleteDirectory(identity.DirectoryName);
        }

        ServerLog.TopicChanged(broker.Logger, request.Name, "deleted");
        return new EmptyMessage();
    });

    public void Dispose() => _changes.Dispose();

    private async Task<T> ChangeAsync<T>(Func<T> change)
    {
        await _changes.WaitAsync().ConfigureAwait(false);
        try
        {
            // Off the connection's thread: it waits for the disk.
            return await Task.Run(() => RunChange(change)).ConfigureAwait(false);
        }
        finally
        {
            _changes.Release();
        }
    }

    /// <summary>
    /// A change that failed for lack of space may have settled with this one, or with the refusal of its repetition: then its
    /// logs are missing.
    /// </summary>
    private T RunChange<T>(Func<T> change)
    {
        try
        {
            return change();
        }
        finally
        {
            if (Image.PartitionCount != partitions.Count)
            {
                foreach (var topic in Image.Topics)
                {
                    OpenMissing(topic.Name);
                }
            }
        }
    }

    private void OpenMissing(string name)
    {
        var topic = Image.Find(name)!;
        foreach (var partition in topic.Partitions)
        {
            if (partitions.Find(topic.TopicId, partition.Index) is { } open)
            {
                open.Log.Options = topic.Settings.ToLogOptions();
            }
            else
            {
                Open(topic, partition);
            }
        }
    }

    private void Open(TopicImage topic, PartitionImage partition)
    {
        var log = PartitionLog.Open(
            files, LogsDirectory, new LogIdentity(topic.TopicId, partition.Index), topic.Settings.ToLogOptions(), tailMemory,
            broker.Logger);
        partitions.Add(new Partition(log, topic.Name, partition.LeaderEpoch));
    }

    /// <summary>A topic's directory goes only if the metadata remembers its deletion: absence alone deletes nothing.</summary>
    private void RemoveIfDeleted(string directory)
    {
        if (LogIdentity.TryParse(directory, out var identity) && Image.WasDeleted(identity.TopicId))
        {
            DeleteDirectory(directory);
        }
        else
        {
            ServerLog.OrphanDirectory(broker.Logger, $"{LogsDirectory}/{directory}");
        }
    }

    private void DeleteDirectory(string name)
    {
        var directory = $"{LogsDirectory}/{name}";
        foreach (var file in files.ListFiles(directory))
        {
            files.Delete($"{directory}/{file}");
        }

        if (files.ListDirectories(LogsDirectory).Contains(name))
        {
            files.DeleteDirectory(directory);
            files.SyncDirectory(LogsDirectory);
        }
    }
}

using Weir.Metadata;
using Weir.Replication;

namespace Weir.Server.Peers;

/// <summary>Lets handlers wait until this broker's replicas follow a change, so that its client finds what it made.</summary>
internal sealed class ImageFollower(BrokerContext broker, Func<MetadataImage> image, BrokerReplicas replicas)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    public MetadataImage Image => image();

    /// <summary>Waits until the metadata fulfils a condition and the replicas follow it; gives up after a while.</summary>
    public async Task WaitAsync(Func<MetadataImage, bool> isReached)
    {
        var started = broker.Time.GetTimestamp();
        while (broker.Time.GetElapsedTime(started) < Patience)
        {
            var known = image();
            if (isReached(known) && replicas.AppliedOffset >= known.NextOffset)
            {
                return;
            }

            await Task.Delay(Interval, broker.Time).ConfigureAwait(false);
        }
    }
}
